/** An X12 document is to go out to a partner: an acknowledgment, or one that was sent by the API. */
export const EDI_DOCUMENT = "edi.document";

/** A partner answered a document of ours by a 997, 999 or TA1. */
export const EDI_ACKNOWLEDGED = "edi.acknowledged";

/** Content type of X12 (RFC 1767). */
export const X12_CONTENT_TYPE = "application/edi-x12";
