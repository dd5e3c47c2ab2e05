/**
 * `always`: an error in both modes; `strict`: a warning in lenient mode; `never`: a warning.
 * The numbers are those of TA105 (interchange), AK905 (group), AK502 (set), AK304 (segment) and AK403 (element), as the
 * published lists of 997 and TA1 error codes give them.
 */
interface FaultKind {
  refused: "always" | "strict" | "never";
  message: string;
  interchangeCode?: string;
  groupCode?: string;
  setCode?: string;
  segmentCode?: string;
  elementCode?: string;
  /** AK403 stops at 10; 999 knows more. */
  elementCode999?: string;
}

const kinds = {
  document_too_large: { refused: "always", message: "The document is larger than the limit" },
  encoding_invalid: { refused: "always", message: "The bytes are not in the expected encoding" },
  too_many_segments: {
    refused: "always",
    message: "The document has more segments than the limit",
    interchangeCode: "024",
  },
  too_many_faults: { refused: "always", message: "More faults than are recorded" },
  data_outside_interchange: { refused: "strict", message: "Data between or after interchanges" },

  isa_missing: { refused: "always", message: "The document does not begin with an ISA segment" },
  isa_malformed: { refused: "always", message: "The ISA segment does not have 16 elements and a terminator" },
  isa_length: {
    refused: "strict",
    message: "The ISA segment does not have its fixed width of 106 characters",
    interchangeCode: "024",
  },
  separator_invalid: {
    refused: "always",
    message: "A separator is a letter, a digit or a space",
    interchangeCode: "026",
  },
  separator_equal: {
    refused: "always",
    message: "Two separators are the same character",
    interchangeCode: "026",
  },
  repetition_separator_invalid: {
    refused: "never",
    message: "ISA11 is alphanumeric, so that nothing separates repetitions",
  },
  sender_qualifier_invalid: {
    refused: "strict",
    message: "The sender's qualifier is not two characters",
    interchangeCode: "005",
  },
  sender_id_invalid: { refused: "strict", message: "The sender's id is empty", interchangeCode: "006" },
  receiver_qualifier_invalid: {
    refused: "strict",
    message: "The receiver's qualifier is not two characters",
    interchangeCode: "007",
  },
  receiver_id_invalid: { refused: "strict", message: "The receiver's id is empty", interchangeCode: "008" },
  interchange_date_invalid: {
    refused: "strict",
    message: "The interchange date is not a date YYMMDD",
    interchangeCode: "014",
  },
  interchange_time_invalid: {
    refused: "strict",
    message: "The interchange time is not a time HHMM",
    interchangeCode: "015",
  },
  interchange_version_invalid: {
    refused: "strict",
    message: "The interchange version is not five digits",
    interchangeCode: "017",
  },
  interchange_control_number_invalid: {
    refused: "strict",
    message: "The interchange control number is not nine digits",
    interchangeCode: "018",
  },
  acknowledgment_requested_invalid: {
    refused: "strict",
    message: "ISA14 is not 0, 1, 2 or 3",
    interchangeCode: "019",
  },
  usage_invalid: { refused: "strict", message: "ISA15 is not P, T or I", interchangeCode: "020" },
  iea_missing: { refused: "strict", message: "The interchange has no IEA trailer", interchangeCode: "023" },
  interchange_group_count: {
    refused: "strict",
    message: "IEA01 does not give the number of groups",
    interchangeCode: "021",
  },
  interchange_control_number: {
    refused: "strict",
    message: "IEA02 does not repeat ISA13",
    interchangeCode: "001",
  },
  interchange_duplicate: {
    refused: "strict",
    message: "An interchange with this sender, receiver and control number was read before",
    interchangeCode: "025",
  },
  segment_outside_group: {
    refused: "strict",
    message: "A segment stands outside a group",
    interchangeCode: "022",
  },
  segment_unterminated: { refused: "never", message: "The last segment has no terminator" },
  segment_indented: { refused: "never", message: "White space stands before segments" },

  group_incomplete: {
    refused: "strict",
    message: "The group header lacks an element",
    interchangeCode: "024",
  },
  group_date_invalid: { refused: "never", message: "The group date is not a date CCYYMMDD" },
  group_control_number_invalid: {
    refused: "strict",
    message: "The group control number is not one to nine digits",
    groupCode: "6",
  },
  group_control_number_duplicate: {
    refused: "strict",
    message: "Two groups of the interchange have one control number",
    groupCode: "6",
  },
  ge_missing: {
    refused: "strict",
    message: "The group has no GE trailer",
    groupCode: "3",
    interchangeCode: "024",
  },
  group_set_count: { refused: "strict", message: "GE01 does not give the number of sets", groupCode: "5" },
  group_control_number: { refused: "strict", message: "GE02 does not repeat GS06", groupCode: "4" },
  segment_outside_set: { refused: "strict", message: "A segment stands outside a set", groupCode: "5" },

  set_code_invalid: {
    refused: "strict",
    message: "ST01 is not a set identifier of three characters",
    setCode: "6",
  },
  set_control_number_invalid: {
    refused: "strict",
    message: "The set control number is not four to nine characters",
    setCode: "7",
  },
  set_control_number_duplicate: {
    refused: "strict",
    message: "Two sets of the group have one control number",
    setCode: "23",
  },
  set_wrong_group: { refused: "never", message: "GS01 does not belong to this set" },
  set_unknown: {
    refused: "never",
    message: "There is no table for this set; its segments are read without loops",
  },
  se_missing: { refused: "strict", message: "The set has no SE trailer", setCode: "2" },
  set_segment_count: {
    refused: "strict",
    message: "SE01 does not give the number of segments",
    setCode: "4",
  },
  set_control_number: { refused: "strict", message: "SE02 does not repeat ST02", setCode: "3" },

  segment_empty: { refused: "strict", message: "A segment is empty", segmentCode: "1" },
  segment_id_invalid: {
    refused: "strict",
    message: "A segment id must be two or three capital letters and digits",
    segmentCode: "1",
  },
  segment_too_long: { refused: "always", message: "The segment is longer than the limit", segmentCode: "8" },
  binary_length: {
    refused: "always",
    message: "The length of binary data is not a number or does not end at a terminator",
    segmentCode: "8",
  },
  segment_unknown: { refused: "strict", message: "The segment id is unknown", segmentCode: "1" },
  segment_not_in_set: {
    refused: "strict",
    message: "The segment does not belong to this set",
    segmentCode: "6",
  },
  segment_out_of_order: {
    refused: "strict",
    message: "The segment stands in the wrong place",
    segmentCode: "7",
  },
  segment_missing: { refused: "strict", message: "A mandatory segment is missing", segmentCode: "3" },
  segment_too_often: { refused: "strict", message: "The segment occurs too often", segmentCode: "5" },
  loop_too_often: { refused: "strict", message: "The loop occurs too often", segmentCode: "4" },
  hierarchy_id_duplicate: {
    refused: "strict",
    message: "Two HL segments have one id",
    segmentCode: "8",
    elementCode: "7",
  },
  hierarchy_parent_unknown: {
    refused: "strict",
    message: "The HL segment names a parent that is not before it",
    segmentCode: "8",
    elementCode: "7",
  },
  hierarchy_child_flag: {
    refused: "never",
    message: "HL04 says something else about children than the set has",
  },

  element_missing: { refused: "strict", message: "A mandatory element is missing", elementCode: "1" },
  element_condition: {
    refused: "strict",
    message: "An element that another one demands is missing",
    elementCode: "2",
  },
  element_exclusion: { refused: "strict", message: "Two elements exclude each other", elementCode: "10" },
  element_unexpected: {
    refused: "strict",
    message: "The segment has more elements than it may",
    elementCode: "3",
  },
  element_too_short: { refused: "strict", message: "The value is too short", elementCode: "4" },
  element_too_long: { refused: "strict", message: "The value is too long", elementCode: "5" },
  element_character: {
    refused: "strict",
    message: "The value holds a character that its type does not allow",
    elementCode: "6",
  },
  element_code: {
    refused: "strict",
    message: "The value is not one of the element's codes",
    elementCode: "7",
  },
  element_date: { refused: "strict", message: "The value is not a date", elementCode: "8" },
  element_time: { refused: "strict", message: "The value is not a time", elementCode: "9" },
  component_unexpected: {
    refused: "strict",
    message: "The element has more components than it may",
    elementCode: "3",
    elementCode999: "13",
  },
  repetition_unexpected: {
    refused: "strict",
    message: "The element is repeated more often than it may",
    elementCode: "3",
    elementCode999: "12",
  },

  separator_in_data: { refused: "always", message: "The value holds a separator, which X12 cannot express" },
  number_not_exact: { refused: "always", message: "The number cannot be written exactly" },
  input_invalid: { refused: "always", message: "The input does not have the form that it must have" },
} as const satisfies Record<string, FaultKind>;

export type FaultCode = keyof typeof kinds;

export const FAULT_KINDS: Readonly<Record<FaultCode, FaultKind>> = kinds;
