/** The fake engine keeps the promises of the port. */
import { containerRuntimeCompliance } from "../../compliance/container-runtime.suite.ts";
import { FakeRuntime } from "../../support/fake-runtime.ts";

const runtime = new FakeRuntime();
runtime.images.set("fake/image", { id: "sha256:fake", user: "", entrypoint: [], command: [], stopSignal: undefined });

containerRuntimeCompliance(async () => ({
  runtime,
  image: "fake/image",
  sleeper: ["sleep"],
  failing: ["fail"],
  letEnd: (name) => runtime.exit(name, 3),
}));
