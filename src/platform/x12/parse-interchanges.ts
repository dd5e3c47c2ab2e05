import { decodeText } from "./decode-text.ts";
import { checkGroupHeader, checkInterchangeHeader, checkSetHeader, checkTrailer } from "./envelope-checks.ts";
import type { FaultCode } from "./fault-codes.ts";
import { recordFault } from "./fault-recorder.ts";
import type { X12Document, X12Fault, X12Group, X12Interchange, X12Segment, X12Set } from "./model.ts";
import { readIsa } from "./read-isa.ts";
import { resolveSettings, type X12SettingsInput } from "./settings.ts";
import { Tokenizer } from "./tokenizer.ts";

/** Control segments that may stand between ISA and the first GS. */
const SERVICE_SEGMENTS: ReadonlySet<string> = new Set(["TA1", "ISB", "ISE"]);

/**
 * Reads a document: its interchanges, their groups and sets, the segments of each, and what is wrong with the envelopes.
 * A fault refuses what it concerns and nothing beside it. Never throws on input; time and memory are in proportion to
 * the document, which the settings bound.
 *
 * @param bytes a document as it was received: a byte-order mark and white space around segments are no fault
 */
export function parseInterchanges(bytes: Uint8Array, input: X12SettingsInput = {}): X12Document {
  const settings = resolveSettings(input);
  const tooLarge = bytes.byteLength > settings.limits.bytesMax;
  const decoded = tooLarge ? null : decodeText(bytes, settings);
  const document: X12Document = {
    text: "",
    codes: new Uint8Array(),
    encoding: "ascii",
    lineBreaks: [],
    byteOffset: (offset) => offset,
    ...decoded,
    settings,
    interchanges: [],
    faults: [],
    accepted: true,
    faultCount: 0,
  };
  if (decoded === null) {
    const code = tooLarge ? "document_too_large" : "encoding_invalid";
    recordFault(document, document.faults, code, { id: "", start: 0, ordinal: 1 });
  } else new DocumentReader(document).read();
  judge(document);
  return document;
}

/** Reads the interchanges of a document one after another. */
class DocumentReader {
  readonly #document: X12Document;
  readonly #tokens: Tokenizer;
  /** Sender, receiver and control number of the interchanges so far. */
  readonly #met = new Set<string>();
  #segments = 0;

  constructor(document: X12Document) {
    this.#document = document;
    this.#tokens = new Tokenizer(document);
  }

  read(): void {
    const { text } = this.#document;
    if (text.charCodeAt(0) === 0xfeff) this.#tokens.position = 1;
    for (let outside = false; ;) {
      this.#tokens.skipSpace();
      if (this.#tokens.position >= text.length) break;
      if (this.#tokens.atIsa()) {
        if (!this.#readInterchange()) return;
        outside = false;
        continue;
      }
      if (this.#document.interchanges.length === 0) return this.#refuse("isa_missing", this.#tokens.position);
      if (!outside) this.#refuse("data_outside_interchange", this.#tokens.position);
      outside = true;
      if (!this.#skipToIsa()) break;
    }
    if (this.#document.interchanges.length === 0) this.#refuse("isa_missing", 0);
  }

  /** Passes data that belongs to no interchange; false when no other interchange follows. */
  #skipToIsa(): boolean {
    const { text } = this.#document;
    let at = this.#tokens.position;
    do {
      at = text.indexOf("ISA", at + 1);
      if (at === -1) return false;
      this.#tokens.position = at;
    } while (!this.#tokens.atIsa());
    return true;
  }

  #refuse(code: FaultCode, start: number, element: number | null = null): void {
    const [id = ""] = /^[A-Z0-9]{0,3}/.exec(this.#document.text.slice(start, start + 3)) ?? [];
    recordFault(
      this.#document,
      this.#document.faults,
      code,
      { id, start, ordinal: this.#segments + 1 },
      element === null ? {} : { element },
    );
  }

  /** False when the document cannot be read on. */
  #readInterchange(): boolean {
    const start = this.#tokens.position;
    const outcome = readIsa(this.#document.text, start, this.#segments + 1, this.#document.settings);
    if (!outcome.ok) {
      this.#refuse(outcome.code, start, outcome.element);
      return this.#skipToIsa();
    }
    this.#tokens.nextOrdinal();
    this.#segments += 1;
    this.#tokens.use(outcome.separators, outcome.next);
    const { elements } = outcome.isa;
    const interchange: X12Interchange = {
      separators: outcome.separators,
      isa: outcome.isa,
      iea: null,
      sender: { qualifier: elements[5]!, id: elements[6]!.trim() },
      receiver: { qualifier: elements[7]!, id: elements[8]!.trim() },
      version: elements[12]!,
      controlNumber: elements[13]!,
      acknowledgmentRequested: elements[14]!,
      test: elements[15] === "T",
      services: [],
      groups: [],
      strays: [],
      faults: [],
      accepted: true,
    };
    const place = { interchange: this.#document.interchanges.length };
    this.#document.interchanges.push(interchange);
    for (const { code, element } of outcome.faults) {
      const detail = element === null ? { place } : { place, element };
      recordFault(this.#document, interchange.faults, code, outcome.isa, detail);
    }
    checkInterchangeHeader(this.#document, interchange, place);
    const identity = [5, 6, 7, 8, 13].map((element) => elements[element]!).join("\u0000");
    if (this.#met.has(identity)) {
      const detail = { place, element: 13, value: interchange.controlNumber };
      recordFault(this.#document, interchange.faults, "interchange_duplicate", interchange.isa, detail);
    }
    this.#met.add(identity);
    return this.#readBody(interchange, place.interchange);
  }

  #readBody(interchange: X12Interchange, index: number): boolean {
    const reader = new InterchangeReader(this.#document, interchange, index);
    let last = interchange.isa;
    let indented = false;
    while (interchange.iea === null) {
      const segment = this.#tokens.next();
      if (segment === null) break;
      this.#segments += 1;
      if (this.#segments > this.#document.settings.limits.segmentsMax) {
        recordFault(this.#document, interchange.faults, "too_many_segments", segment, {
          place: { interchange: index },
        });
        reader.close(segment);
        return false;
      }
      if (this.#tokens.indented && !indented) {
        indented = true;
        const detail = { place: { interchange: index } };
        recordFault(this.#document, interchange.faults, "segment_indented", segment, detail);
      }
      reader.add(segment, this.#tokens.fault);
      if (!this.#tokens.terminated) {
        const detail = { place: { interchange: index } };
        recordFault(this.#document, interchange.faults, "segment_unterminated", segment, detail);
      }
      last = segment;
    }
    reader.close(last);
    return true;
  }
}

/** Sorts the segments of one interchange into groups and sets. */
class InterchangeReader {
  readonly #document: X12Document;
  readonly #interchange: X12Interchange;
  readonly #index: number;
  readonly #groupNumbers = new Set<number>();
  #setNumbers = new Set<string>();
  #group: X12Group | null = null;
  #set: X12Set | null = null;

  constructor(document: X12Document, interchange: X12Interchange, index: number) {
    this.#document = document;
    this.#interchange = interchange;
    this.#index = index;
  }

  add(segment: X12Segment, fault: { code: FaultCode; element: number | null } | null): void {
    if (fault !== null) this.#fault(fault.code, segment, fault.element);
    switch (segment.id) {
      case "ST":
        return this.#openSet(segment);
      case "SE":
        return this.#set === null ? this.#stray(segment) : this.#closeSet(segment);
      case "GS":
        return this.#openGroup(segment);
      case "GE":
        return this.#group === null ? this.#stray(segment) : this.#closeGroup(segment);
      case "IEA":
        return this.#closeInterchange(segment);
      default:
        if (this.#set !== null) this.#set.segments.push(segment);
        else if (SERVICE_SEGMENTS.has(segment.id) && this.#interchange.groups.length === 0) {
          this.#interchange.services.push(segment);
        } else this.#stray(segment);
    }
  }

  /** Ends what is open where the text ends. */
  close(last: X12Segment): void {
    if (this.#interchange.iea !== null) return;
    this.#endGroup(last);
    recordFault(this.#document, this.#interchange.faults, "iea_missing", last, {
      place: { interchange: this.#index },
    });
  }

  #openGroup(segment: X12Segment): void {
    this.#endGroup(segment);
    const value = (element: number): string => segment.elements[element]?.trim() ?? "";
    const group: X12Group = {
      gs: segment,
      ge: null,
      functionalId: value(1),
      sender: value(2),
      receiver: value(3),
      controlNumber: value(6),
      version: value(8),
      sets: [],
      strays: [],
      faults: [],
      accepted: true,
    };
    this.#group = group;
    this.#interchange.groups.push(group);
    this.#setNumbers = new Set();
    checkGroupHeader(this.#document, group, this.#groupPlace(), this.#groupNumbers);
  }

  #openSet(segment: X12Segment): void {
    this.#endSet(segment);
    const group = this.#group;
    if (group === null) return this.#stray(segment);
    const set: X12Set = {
      code: segment.elements[1] ?? "",
      controlNumber: segment.elements[2] ?? "",
      version: group.version,
      segments: [segment],
      complete: false,
      faults: [],
      accepted: true,
      separators: this.#interchange.separators,
      place: { ...this.#groupPlace(), set: group.sets.length },
      document: this.#document,
    };
    group.sets.push(set);
    this.#set = set;
    checkSetHeader(this.#document, group, set, this.#setNumbers);
  }

  #closeSet(segment: X12Segment): void {
    const set = this.#set!;
    set.segments.push(segment);
    set.complete = true;
    this.#set = null;
    const detail = { place: set.place, position: set.segments.length };
    checkTrailer(this.#document, set.faults, segment, detail, {
      count: set.segments.length,
      countCode: "set_segment_count",
      number: set.controlNumber,
      numberCode: "set_control_number",
      numeric: false,
    });
  }

  #closeGroup(segment: X12Segment): void {
    this.#endSet(segment);
    const group = this.#group!;
    group.ge = segment;
    const place = this.#groupPlace();
    this.#group = null;
    checkTrailer(
      this.#document,
      group.faults,
      segment,
      { place },
      {
        count: group.sets.length,
        countCode: "group_set_count",
        number: group.controlNumber,
        numberCode: "group_control_number",
        numeric: true,
      },
    );
  }

  #closeInterchange(segment: X12Segment): void {
    this.#endGroup(segment);
    this.#interchange.iea = segment;
    const place = { interchange: this.#index };
    checkTrailer(
      this.#document,
      this.#interchange.faults,
      segment,
      { place },
      {
        count: this.#interchange.groups.length,
        countCode: "interchange_group_count",
        number: this.#interchange.controlNumber,
        numberCode: "interchange_control_number",
        numeric: true,
      },
    );
  }

  /** A set that something else ends has no trailer. */
  #endSet(at: X12Segment): void {
    if (this.#set === null) return;
    recordFault(this.#document, this.#set.faults, "se_missing", at, { place: this.#set.place });
    this.#set = null;
  }

  #endGroup(at: X12Segment): void {
    this.#endSet(at);
    if (this.#group === null) return;
    recordFault(this.#document, this.#group.faults, "ge_missing", at, { place: this.#groupPlace() });
    this.#group = null;
  }

  #stray(segment: X12Segment): void {
    const group = this.#group;
    if (group !== null) {
      group.strays.push(segment);
      const detail = { place: this.#groupPlace() };
      return recordFault(this.#document, group.faults, "segment_outside_set", segment, detail);
    }
    this.#interchange.strays.push(segment);
    const detail = { place: { interchange: this.#index } };
    recordFault(this.#document, this.#interchange.faults, "segment_outside_group", segment, detail);
  }

  #fault(code: FaultCode, segment: X12Segment, element: number | null): void {
    const set = this.#set;
    const list: X12Fault[] = set?.faults ?? this.#group?.faults ?? this.#interchange.faults;
    const place = set?.place ?? (this.#group === null ? { interchange: this.#index } : this.#groupPlace());
    recordFault(this.#document, list, code, segment, {
      place,
      position: set === null ? null : set.segments.length + 1,
      ...(element === null ? {} : { element }),
    });
  }

  #groupPlace(): { interchange: number; group: number } {
    return { interchange: this.#index, group: this.#interchange.groups.length - 1 };
  }
}

/** Sets `accepted` everywhere from the faults recorded so far; inner parts fall with outer ones. */
export function judge(document: X12Document): void {
  document.accepted = !hasError(document.faults);
  for (const interchange of document.interchanges) {
    interchange.accepted = !hasError(interchange.faults);
    for (const group of interchange.groups) {
      group.accepted = interchange.accepted && !hasError(group.faults);
      for (const set of group.sets) {
        set.accepted = group.accepted && !hasError(set.faults);
        if (!set.accepted) document.accepted = false;
      }
      if (!group.accepted) document.accepted = false;
    }
    if (!interchange.accepted) document.accepted = false;
  }
}

function hasError(faults: readonly X12Fault[]): boolean {
  return faults.some((fault) => fault.severity === "error");
}
