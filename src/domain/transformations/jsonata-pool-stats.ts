/** What a pool has done since it began, and what it holds now. */
export interface JsonataPoolStats {
  children: number;
  /** Process ids of the children. */
  pids: number[];
  starts: number;
  evaluated: number;
  timedOut: number;
  outOfMemory: number;
  waiting: number;
  slowKeys: number;
  pausedKeys: number;
}
