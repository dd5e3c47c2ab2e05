/**
 * Frames between the pool and a child. `a` of a job is its number, repeated in the answer; an expression is sent once
 * under a slot number and named by it afterwards, so a repeated evaluation carries only its input.
 */
export const FRAME = {
  /** To the child: keep `text` as expression number `a`. */
  define: 1,
  /** To the child: job `a`, expression number `b`, guard time `c` (ms), JSON text as input. */
  evaluate: 2,
  /** To the child: job `a`, compile `text`. */
  check: 3,
  /** From the child: job `a` gave `text` (JSON; empty after a check). */
  done: 17,
  /** From the child: job `a` failed; `b` is an index of `FAILURES`; `text` is JSON `{ message, position }`. */
  failed: 18,
} as const;

/** Failures that the child can tell; the index is the number in the frame. */
export const FAILURES = ["failed", "timeout", "memory", "output_too_large", "no_value"] as const;

export type Failure = (typeof FAILURES)[number];

export interface FailureText {
  message: string;
  /** Offset in the expression, in characters; -1 where it is not the expression's fault. */
  position: number;
}

/** Expressions that a child keeps compiled; parsing one costs three times its evaluation. */
export const EXPRESSION_SLOTS = 256;

/** Longest expression that can be saved, in bytes. */
export const EXPRESSION_MAX_BYTES = 16 * 1024;

/** Largest input document, in bytes of JSON. */
export const INPUT_MAX_BYTES = 1024 * 1024;

/** Largest result, in bytes of JSON. */
export const OUTPUT_MAX_BYTES = 256 * 1024;
