import type { CsvSettings } from "../settings.ts";

/** What a reader must know of the characters between cells. */
export interface CsvDialect {
  delimiter: string;
  quote: string;
  escape: string;
  comment: string | undefined;
  trim: boolean;
  skipsEmptyLines: boolean;
}

export function csvDialect(settings: CsvSettings): CsvDialect {
  const quote = settings.quote ?? '"';
  return {
    delimiter: settings.delimiter ?? ",",
    quote,
    escape: settings.escape ?? quote,
    comment: settings.comment,
    trim: settings.trim ?? false,
    skipsEmptyLines: settings.emptyLines !== "keep",
  };
}
