/** Unix sockets: their permissions, the stale ones, and the ones that are in use. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";

import { createHttpClient } from "../../common/http-client.ts";
import { createSmallServer, smallApi } from "../support/small-server.ts";

describe("a unix socket", () => {
  function place(): string {
    const dir = mkdtempSync(join(tmpdir(), "lium-http-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    return join(dir, "a.sock");
  }

  it("is made with its permissions, answers, and is gone after the close", async () => {
    const socketPath = place();
    const { server } = await createSmallServer();
    await server.listen({ socketPath });
    const client = createHttpClient(smallApi, { at: { socketPath }, timeoutMs: 5_000 });
    onTestFinished(() => client.close());

    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    expect(await client.double({ params: { name: "a" }, body: { n: 1 } })).toMatchObject({ n: 2 });

    await server.close();
    expect(existsSync(socketPath)).toBe(false);
  });

  it("takes the place of one that a dead process left", async () => {
    const socketPath = place();
    const dead = createServer().listen(socketPath);
    await new Promise((resolve) => dead.once("listening", resolve));
    await rename(socketPath, `${socketPath}.kept`);
    await new Promise((resolve) => dead.close(resolve));
    await rename(`${socketPath}.kept`, socketPath);

    const { server } = await createSmallServer();
    await server.listen({ socketPath, mode: 0o660 });

    expect(statSync(socketPath).mode & 0o777).toBe(0o660);
  });

  it("is refused where somebody listens, or where another file is", async () => {
    const [taken, file] = [place(), place()];
    const [first, second] = [await createSmallServer(), await createSmallServer()];
    await first.server.listen({ socketPath: taken });
    writeFileSync(file, "mine");

    await expect(second.server.listen({ socketPath: taken })).rejects.toMatchObject({ code: "already-exists" });
    await expect(second.server.listen({ socketPath: file })).rejects.toMatchObject({ code: "already-exists" });
    expect(existsSync(taken) && existsSync(file)).toBe(true);
  });
});
