/** Bounds of one document; what is over them is refused before it costs memory. */
export interface X12Limits {
  bytesMax: number;
  /** Of one segment; binary segments are bounded by the document only. */
  segmentCharactersMax: number;
  segmentsMax: number;
  /** Faults after this many are not recorded; the last one says so. */
  faultsMax: number;
}

/** How a partner's documents are read. */
export interface X12Settings {
  /** In `lenient` wrong envelopes and wrong data are warnings, where the document can still be read. */
  mode: "strict" | "lenient";
  /** `remove` takes CR and LF out before reading: records wrapped at a fixed width break lines inside elements. */
  lineBreaks: "keep" | "remove";
  /** Whether ISA11 separates repetitions: by ISA12 (from 00402 on), always when it is not alphanumeric, or never. */
  repetition: "version" | "always" | "never";
  /** `auto` reads UTF-8, and ISO 8859-1 where the bytes are not UTF-8. */
  encoding: "auto" | "utf-8" | "latin1";
  limits: X12Limits;
}

export type X12SettingsInput = Partial<Omit<X12Settings, "limits">> & { limits?: Partial<X12Limits> };

const DEFAULTS: X12Settings = {
  mode: "strict",
  lineBreaks: "keep",
  repetition: "version",
  encoding: "auto",
  limits: { bytesMax: 1_048_576, segmentCharactersMax: 65_536, segmentsMax: 100_000, faultsMax: 1_000 },
};

/** Fills what is not given. */
export function resolveSettings(input: X12SettingsInput = {}): X12Settings {
  return { ...DEFAULTS, ...input, limits: { ...DEFAULTS.limits, ...input.limits } };
}
