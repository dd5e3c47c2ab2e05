import csvToLoadStatus from "./system/csv-to-load-status.json" with { type: "json" };
import invoiceToCsv from "./system/invoice-to-csv.json" with { type: "json" };
import invoiceToXml from "./system/invoice-to-xml.json" with { type: "json" };
import loadStatusToCsv from "./system/load-status-to-csv.json" with { type: "json" };
import loadStatusToX12214 from "./system/load-status-to-x12-214.json" with { type: "json" };
import loadStatusToXml from "./system/load-status-to-xml.json" with { type: "json" };
import loadToCsv from "./system/load-to-csv.json" with { type: "json" };
import loadToX12990 from "./system/load-to-x12-990.json" with { type: "json" };
import loadToXml from "./system/load-to-xml.json" with { type: "json" };
import x12204ToLoad from "./system/x12-204-to-load.json" with { type: "json" };
import x12210ToInvoice from "./system/x12-210-to-invoice.json" with { type: "json" };
import x12214ToLoadStatus from "./system/x12-214-to-load-status.json" with { type: "json" };
import xmlToInvoice from "./system/xml-to-invoice.json" with { type: "json" };
import xmlToLoadStatus from "./system/xml-to-load-status.json" with { type: "json" };
import xmlToLoad from "./system/xml-to-load.json" with { type: "json" };
import type { VersionContent } from "./store.ts";

/** A template that every tenant may name and clone. */
export interface SystemTemplate extends VersionContent {
  code: string;
  name: string;
  description: string;
  category: string;
}

/**
 * The templates of the hub, as data in `system/`: freight's X12 sets to the platform's models and back, and the same in
 * XML and CSV. Those that begin with a model take an event's payload (its `data`) or the model alone.
 */
export const SYSTEM_TEMPLATES = [
  x12204ToLoad,
  loadToX12990,
  x12214ToLoadStatus,
  loadStatusToX12214,
  x12210ToInvoice,
  loadToXml,
  xmlToLoad,
  loadStatusToXml,
  xmlToLoadStatus,
  invoiceToXml,
  xmlToInvoice,
  loadToCsv,
  loadStatusToCsv,
  csvToLoadStatus,
  invoiceToCsv,
] as unknown as readonly SystemTemplate[];
