import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { type DigestAlgorithm, type DigestField, parseDigestField } from "../../src/http/content-digest.ts";
import { processorTimeOf } from "../support/processor-time.ts";

const SHA256 = "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=";
const SHA512 = "YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==";
const OTHER256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

const malformed: DigestField = { kind: "malformed" };

function digests(...wanted: [DigestAlgorithm, string][]): DigestField {
  return {
    kind: "digests",
    digests: wanted.map(([algorithm, base64]) => ({
      algorithm,
      value: Uint8Array.from(Buffer.from(base64, "base64")),
    })),
  };
}

const one = digests(["sha-256", SHA256]);
const both = digests(["sha-256", SHA256], ["sha-512", SHA512]);
const none = digests();

const cases: [name: string, text: string, want: DigestField][] = [
  ["SHA-256", `sha-256=:${SHA256}:`, one],
  ["SHA-512", `sha-512=:${SHA512}:`, digests(["sha-512", SHA512])],
  ["both", `sha-256=:${SHA256}:, sha-512=:${SHA512}:`, both],
  ["both, the other way round", `sha-512=:${SHA512}:,sha-256=:${SHA256}:`, both],
  ["blanks and tabs around the comma", `sha-256=:${SHA256}: \t,\t sha-512=:${SHA512}:`, both],
  ["an empty value", "", none],
  ["the last of two counts", `sha-256=:${OTHER256}:, sha-512=:${SHA512}:, sha-256=:${SHA256}:`, both],
  ["a wrong length before one that counts", `sha-256=:AAAA:, sha-256=:${SHA256}:`, one],

  ["another algorithm alone", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", none],
  ["another algorithm beside", `unixsum=:AAA=:, sha-256=:${SHA256}:, x.y_z-*=::`, one],
  ["a name that is one of Object", "constructor=:AAAA:", none],
  ["the same name cut or longer", "sha-25=:AAAA:, sha-2561=:AAAA:", none],

  ["without padding", `sha-256=:${SHA256.slice(0, -1)}:`, one],
  ["bits behind the last byte", `sha-256=:${SHA256.replace("4o=", "4p=")}:`, one],

  ["a parameter without value", `sha-256=:${SHA256}:;a`, one],
  [
    "parameters of every kind",
    `sha-256=:${SHA256}:; a=1;  b=-1.5;c="x, \\"\\\\";*d=t/k:n;e=:AAA=:;f=?1;g=@-1;h=%"%e2a"`,
    one,
  ],
  ["a parameter with a comma in quotes", `sha-256=:${SHA256}:;a=", sha-512=", sha-512=:${SHA512}:`, both],

  ["malformed: no value", "sha-256", malformed],
  ["malformed: only parameters", "sha-256;a=1", malformed],
  ["malformed: an empty sequence", "sha-256=::", malformed],
  ["malformed: base64 without colons", `sha-256=${SHA256}`, malformed],
  ["malformed: no colon behind", `sha-256=:${SHA256}`, malformed],
  ["malformed: a string", `sha-256="${SHA256}"`, malformed],
  ["malformed: an inner list", `sha-256=(:${SHA256}:)`, malformed],
  ["malformed: another algorithm with a string", `sha-256=:${SHA256}:, md5="x"`, malformed],
  ["malformed: the name in capitals", `SHA-256=:${SHA256}:`, malformed],
  ["malformed: the form of the old Digest field", `SHA-256=${SHA256}`, malformed],
  ["malformed: a name that begins with a digit", `256=:${SHA256}:`, malformed],
  ["malformed: a blank before =", `sha-256 =:${SHA256}:`, malformed],
  ["malformed: a blank after =", `sha-256= :${SHA256}:`, malformed],
  ["malformed: a comma in front", `, sha-256=:${SHA256}:`, malformed],
  ["malformed: a comma behind", `sha-256=:${SHA256}:,`, malformed],
  ["malformed: a comma and a blank behind", `sha-256=:${SHA256}:, \t`, malformed],
  ["malformed: two commas", `sha-256=:${SHA256}:,, sha-512=:${SHA512}:`, malformed],
  ["malformed: a blank for a comma", `sha-256=:${SHA256}: sha-512=:${SHA512}:`, malformed],
  ["malformed: a semicolon for a comma", `sha-256=:${SHA256}:; sha-512=:${SHA512}:, `, malformed],
  ["malformed: a byte too few", `sha-256=:${Buffer.alloc(31).toString("base64")}:`, malformed],
  ["malformed: a byte too many", `sha-256=:${Buffer.alloc(33).toString("base64")}:`, malformed],
  ["malformed: SHA-512 as SHA-256", `sha-256=:${SHA512}:`, malformed],
  ["malformed: SHA-256 as SHA-512", `sha-512=:${SHA256}:`, malformed],
  ["malformed: a wrong length that counts", `sha-256=:${SHA256}:, sha-256=:AAAA:`, malformed],
  ["malformed: hexadecimal", `sha-256=:${"ab".repeat(32)}:`, malformed],
  ["malformed: base64url", `sha-256=:${SHA256.replace("+", "-").replace("/", "_")}:`, malformed],
  ["malformed: a blank in base64", `sha-256=:${SHA256.replace("+", " ")}:`, malformed],
  ["malformed: padding in the middle", "md5=:AA==AAAA:", malformed],
  ["malformed: too much padding", "md5=:AA===:", malformed],
  ["malformed: too little padding", "md5=:AA=:", malformed],
  ["malformed: one character of base64", "md5=:AAAAA:", malformed],
  ["malformed: a parameter without name", `sha-256=:${SHA256}:;`, malformed],
  ["malformed: a blank before a parameter", `sha-256=:${SHA256}: ;a`, malformed],
  ["malformed: a parameter's value is absent", `sha-256=:${SHA256}:;a=`, malformed],
  ["malformed: a parameter's string does not end", `sha-256=:${SHA256}:;a="b`, malformed],
  ["malformed: a parameter's number is too long", `sha-256=:${SHA256}:;a=1234567890123456`, malformed],
  ["malformed: bytes over 0x7F", `sha-256=:${SHA256}:;a="\u00e4"`, malformed],
  ["malformed: a line end", `sha-256=:${SHA256}:\n`, malformed],
];
for (const [name, text, want] of cases) {
  test(`parseDigestField: ${name}`, () => assert.deepEqual(parseDigestField(text), want));
}

test("parseDigestField gives back every digest", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (body) => {
      const [short, long] = [createHash("sha256"), createHash("sha512")].map((hash) =>
        hash.update(body).digest("base64"),
      );
      assert.deepEqual(
        parseDigestField(`sha-512=:${long}:, sha-256=:${short}:`),
        digests(["sha-256", short ?? ""], ["sha-512", long ?? ""]),
      );
    }),
  );
});

test("parseDigestField never throws, and every digest has its length", () => {
  const piece = fc.constantFrom(
    "sha-256",
    "sha-512",
    "=",
    ":",
    SHA256,
    SHA512,
    ",",
    ";",
    " ",
    '"',
    "a",
    "\\",
    "=1",
    "%",
  );
  const texts = fc.oneof(
    fc.array(piece).map((pieces) => pieces.join("")),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const field = parseDigestField(text);
      if (field.kind === "malformed") return;
      for (const { algorithm, value } of field.digests) {
        assert.equal(value.length, algorithm === "sha-256" ? 32 : 64);
      }
    }),
    { numRuns: 500 },
  );
});

test("parseDigestField takes linear time for what looks like parameters without end", () => {
  for (const unit of [";a=1.5", ';a="x"', ";a=b:c", ";a=:AAAA:", "; ", " ", "\t,", '\\"', "1"]) {
    const filling = unit.repeat(Math.floor(100_000 / unit.length));
    const took = processorTimeOf(() => {
      assert.deepEqual(parseDigestField(`sha-256=:${SHA256}:;a="${filling}!\n`), malformed);
      assert.deepEqual(parseDigestField(`sha-256=:${SHA256}:${filling}!\n`), malformed);
    });
    assert.ok(took < 1000, `${unit} took too long`);
  }
});
