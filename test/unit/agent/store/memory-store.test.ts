/**
 * The store of the tests does what the port promises, so that tests over it mean something.
 */
import { storeCompliance } from "../../../compliance/store.suite.ts";
import { MemoryStore } from "../../../support/memory-store.ts";

storeCompliance(async () => new MemoryStore());
