/** What is under the executor fails, and everything at once for long: the half that takes as long as all the rest. */
import { playFaults } from "../support/arena/play.ts";
import { engineFaults } from "./faults/engine.ts";
import { longFaults } from "./faults/long.ts";

// First what is judged by the second: the heaviest faults of the other half come late.
playFaults("engine", [longFaults, engineFaults]);
