/**
 * Scores of a subscription's queue and of the partition's index. Up to the first mark they are due times in
 * milliseconds; above it they say why a delivery is not to be taken.
 */

/** The owner has it in memory: waiting there, in flight, or its result is being written. */
export const TAKEN = 2e15;

/** Behind an earlier delivery of the same ordering key. */
export const BLOCKED = 4e15;

/** In the index only: the subscription is paused or disabled, nothing of its queue is taken. */
export const HELD = 5e15;
