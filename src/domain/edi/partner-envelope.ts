import type { X12Envelope } from "../../platform/x12/write-x12-document.ts";
import type { PartnerValues } from "./partner-store.ts";

/** First version whose interchanges are 00501 and whose answer is the 999. */
const VERSION_5010 = "005010";

/** The envelope of a document for a partner. */
export function envelopeFor(
  partner: PartnerValues,
  numbers: { interchange: number; group: number; set: number },
  time: Date,
): X12Envelope {
  const { writing = {} } = partner.settings;
  const { separators, newline, characters, acknowledgmentRequested } = writing;
  return {
    ...(separators !== undefined && { separators: dropUndefined(separators) }),
    ...(newline !== undefined && { newline }),
    ...(characters !== undefined && { characters }),
    ...(acknowledgmentRequested !== undefined && { acknowledgmentRequested }),
    sender: { qualifier: partner.ownIsaQualifier, id: partner.ownIsaId },
    receiver: { qualifier: partner.isaQualifier, id: partner.isaId },
    version: writing.interchangeVersion ?? (partner.version >= VERSION_5010 ? "00501" : "00401"),
    controlNumber: numbers.interchange,
    test: writing.test === true,
    time,
    group: {
      sender: partner.ownGsId,
      receiver: partner.gsId,
      version: partner.version,
      controlNumber: numbers.group,
    },
    setControlNumber: numbers.set,
  };
}

/** Set that answers the partner's groups; undefined when they are not answered. */
export function acknowledgmentOf({
  version,
  settings,
}: Pick<PartnerValues, "version" | "settings">): "997" | "999" | undefined {
  const kind = settings.acknowledgment ?? (version >= VERSION_5010 ? "999" : "997");
  return kind === "none" ? undefined : kind;
}

function dropUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
