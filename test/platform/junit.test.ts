import { expect, test } from "bun:test";
import { countJunit, failedCases } from "../support/junit.ts";

const REPORT = `<testsuites><testsuite name="a">
  <testcase name="one" file="a.test.ts" />
  <testcase name="two" file="a.test.ts"><failure message="no" /></testcase>
  <testcase name="three" file="a.test.ts"><skipped /></testcase>
  <testcase name="four" file="a.test.ts"></testcase>
</testsuite></testsuites>`;

test("countJunit() counts every case once", () => {
  expect(countJunit(REPORT, 1)).toEqual({ passed: 2, failed: 1, skipped: 1 });
});

test("countJunit() fails a run that crashed outside of its tests, or reported nothing", () => {
  expect(countJunit('<testcase name="one" />', 1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  expect(countJunit("", 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("failedCases() names the failed ones", () => {
  expect(failedCases(REPORT)).toEqual(["a.test.ts: two"]);
});
