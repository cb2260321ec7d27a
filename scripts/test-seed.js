/** Imported before tests that leave choices to fast-check, so that they all begin with the seed of the run. */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.COMANCHE_SEED) });
