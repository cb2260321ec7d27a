/**
 * Which of several certificates for the same names a client is shown, so that the response of that one can be stapled.
 * Node asks for a staple before OpenSSL has chosen, and does not say what it chose. So the choice is made here where it is
 * certain that the client can use the result, in OpenSSL's own order: keys of elliptic curves before RSA. Where it is not
 * certain, OpenSSL chooses, and nothing is stapled.
 */
import { createPrivateKey } from "node:crypto";
import type { CipherLists } from "./cipher-lists.ts";
import type { ClientOffer } from "./client-offer.ts";
import { companionsOf, type TlsIdentity, type TlsMaterial } from "./tls-identity.ts";

/** One way to answer a handshake. */
export interface Showing {
  /** OpenSSL chooses from them. */
  readonly identities: readonly TlsIdentity[];
  readonly dhParameters: string | undefined;
  /** DER; only where there is one identity. */
  readonly staple: Uint8Array | undefined;
}

/** How one identity and its companions are shown. */
export interface ShowingPlan {
  readonly together: Showing;
  /** In order of preference; empty where nothing can be stapled, or there is no choice. */
  readonly alone: readonly (Showing & { readonly kind: KeyKind })[];
}

/** Such as `prime256v1` for an EC key, else its type. */
type KeyKind = string;

const TLS13 = 0x0304;

/** Signature schemes of TLS 1.3, in order of preference (RFC 8446 §4.2.3). */
const SCHEMES: ReadonlyMap<KeyKind, readonly number[]> = new Map([
  ["prime256v1", [0x0403]],
  ["secp384r1", [0x0503]],
  ["secp521r1", [0x0603]],
  ["ed25519", [0x0807]],
  ["ed448", [0x0808]],
  ["rsa-pss", [0x0809, 0x080a, 0x080b]],
  ["rsa", [0x0804, 0x0805, 0x0806]],
]);
const PREFERENCE = [...SCHEMES.keys()];

const ECDSA_SCHEMES = [0x0403, 0x0503, 0x0603];
/** Of our default ciphers those with ECDSA: AES-128-GCM, AES-256-GCM and ChaCha20. */
const ECDSA_CIPHERS = [0xc02b, 0xc02c, 0xcca9];
const GROUPS: ReadonlyMap<KeyKind, number> = new Map([
  ["prime256v1", 23],
  ["secp384r1", 24],
  ["secp521r1", 25],
]);

/** @returns one plan for each identity, in their order */
export function planShowings({ identities }: TlsMaterial): readonly ShowingPlan[] {
  return identities.map((identity) => {
    const all = companionsOf(identity, identities);
    const dhParameters = all.map((each) => each.dhParameters).find((each) => each !== undefined);
    const show = (shown: readonly TlsIdentity[], staple: Uint8Array | undefined): Showing => {
      return { identities: shown, dhParameters, staple };
    };
    if (all.length === 1) return { together: show(all, identity.staple?.bytes), alone: [] };
    const isStapled = all.some(({ staple }) => staple !== undefined);
    const alone = all.map((each) => ({ ...show([each], each.staple?.bytes), kind: kindOf(each) }));
    const byPreference = alone.toSorted((one, other) => PREFERENCE.indexOf(one.kind) - PREFERENCE.indexOf(other.kind));
    return { together: show(all, undefined), alone: isStapled ? byPreference : [] };
  });
}

function kindOf({ key }: TlsIdentity): KeyKind {
  const { asymmetricKeyType = "unknown", asymmetricKeyDetails } = createPrivateKey(key);
  return asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType;
}

type Rules = Pick<CipherLists, "ciphers" | "curves">;

/** @returns one of the plan's */
export function chooseShowing(plan: ShowingPlan, offer: ClientOffer, rules: Rules): Showing {
  if (offer.limitsChain) return plan.together;
  const chosen = offer.versions.includes(TLS13) ? chooseFor13(plan, offer) : chooseFor12(plan, offer, rules);
  return chosen ?? plan.together;
}

function chooseFor13({ alone }: ShowingPlan, { schemes }: ClientOffer): Showing | undefined {
  return alone.find(({ kind }) => SCHEMES.get(kind)?.some((scheme) => schemes.includes(scheme)) === true);
}

/** Only for an EC and an RSA key, with our own ciphers and groups: which key others are for, we cannot see. */
function chooseFor12({ alone }: ShowingPlan, offer: ClientOffer, rules: Rules): Showing | undefined {
  const [first, second, ...others] = alone;
  if (rules.ciphers !== undefined || rules.curves !== undefined || others.length > 0) return undefined;
  const group = GROUPS.get(first?.kind ?? "");
  if (group === undefined || second?.kind !== "rsa") return undefined;
  if (!offer.ciphers.some((cipher) => ECDSA_CIPHERS.includes(cipher))) return second;
  const canUse = offer.groups.includes(group) && offer.schemes.some((scheme) => ECDSA_SCHEMES.includes(scheme));
  return canUse ? first : undefined;
}
