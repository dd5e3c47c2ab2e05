import type { XmlSettings } from "../settings.ts";
import { decodeChunks, type Chunks } from "../decode-chunks.ts";
import { FormatError, type RecordOutcome } from "../fault.ts";
import type { FormatLimits } from "../limits.ts";
import type { SourceEncoding } from "../source-text.ts";
import { faultInWindow, TextWindow } from "../text-window.ts";
import { detectXmlEncoding } from "./decode-xml.ts";
import { XmlReader } from "./xml-reader.ts";

/**
 * Reads the elements at `recordPath` one by one; each is what `parseXmlDocument` has for that element. What stands
 * around them is checked but not kept, so memory is bounded by one record and one piece of the stream.
 */
export async function* readXmlRecords(
  chunks: Chunks,
  settings: XmlSettings,
  limits: FormatLimits,
): AsyncGenerator<RecordOutcome, void> {
  const { recordPath } = settings;
  if (recordPath === undefined) {
    const message = "XML is read record by record only with a recordPath in the settings";
    yield { ok: false, faults: [{ code: "missing_record_path", message }] };
    return;
  }
  let ready: RecordOutcome[] = [];
  let number = 0;
  let lastEnd = 0;
  let window = new TextWindow("utf-8", 0);
  try {
    const { encoding, markBytes, pieces } = await decodeChunks(chunks, (head) => encodingOf(head, settings));
    window = new TextWindow(encoding, markBytes);
    const reader = new XmlReader(settings, limits, recordPath, {
      element(_name, record, { at }) {
        if (reader.position - at > limits.bytesMax) throw tooLarge(limits, at);
        window.moveTo(at);
        lastEnd = reader.position;
        ready.push({ ok: true, record, number: ++number, place: window.placeOf(at) });
      },
    });
    for await (const piece of pieces) {
      window.append(piece);
      reader.write(piece);
      yield* ready;
      ready = [];
      window.moveTo(Math.min(reader.pendingFrom, reader.position));
      if (window.text.length > limits.bytesMax) throw tooLarge(limits, window.from);
    }
    reader.close();
  } catch (error) {
    // The parser closes an element before it says that the closing tag is another's.
    if (error instanceof FormatError && error.index < lastEnd) ready.pop();
    yield* ready;
    yield { ok: false, faults: [faultInWindow(error, window)] };
  }
}

function encodingOf(head: Uint8Array, settings: XmlSettings): SourceEncoding {
  const detected = detectXmlEncoding(head, settings.encoding);
  if (!detected.ok) throw new FormatError(detected.faults[0]!, 0);
  return detected.encoding;
}

function tooLarge(limits: FormatLimits, index: number): FormatError {
  const message = `A record, or what stands between records, is longer than ${limits.bytesMax} characters`;
  return new FormatError({ code: "record_too_large", message }, index);
}
