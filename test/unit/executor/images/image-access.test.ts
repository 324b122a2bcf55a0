/** Who is given an image: those to whom its registry gives it, with credentials of their own where it asks for them. */
import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { imagesHarness, notesPath, RENTER, SIGNAL } from "../../../support/images-harness.ts";

const ALICE = { owner: "alice", auth: { username: "alice", password: "alices-secret" } };
const BOB = { owner: "bob", auth: { username: "bob", password: "bobs-secret" } };
const asRenter = { ...RENTER, signal: SIGNAL };

describe("an image that came with credentials", () => {
  const accounts = [ALICE.auth, BOB.auth];

  it("is not given to somebody who shows none, nor to one whose credentials the registry refuses", async () => {
    const { images, serve } = await imagesHarness();
    const reference = serve("private", { accounts: [ALICE.auth] });
    await images.ensure(reference, { ...ALICE, signal: SIGNAL });

    await expect(images.ensure(reference, asRenter)).rejects.toMatchObject({ code: "image-auth-failed" });
    const bob = images.ensure(reference, { ...BOB, signal: SIGNAL });
    await expect(bob).rejects.toMatchObject({ code: "image-auth-failed" });
    expect(await images.local(reference, RENTER, SIGNAL)).toBeUndefined();
    const stolen = { owner: "mallory", auth: { ...ALICE.auth, password: "guess" } };
    expect(await images.local(reference, stolen, SIGNAL)).toBeUndefined();
  });

  it("is given to another owner after the registry took that owner's own", async () => {
    const { images, store, serve } = await imagesHarness();
    const reference = serve("private", { accounts });
    await images.ensure(reference, { ...ALICE, signal: SIGNAL });

    await images.ensure(reference, { ...BOB, signal: SIGNAL });
    await images.ensure(reference, { ...BOB, signal: SIGNAL });

    expect(store.pulls.map(({ auth }) => auth)).toEqual(accounts);
  });

  it("is not shared by those who wait for it at the same time with different credentials", async () => {
    const { images, store, serve } = await imagesHarness();
    const reference = serve("private", { accounts: [ALICE.auth], slow: true });
    const alice = images.ensure(reference, { ...ALICE, signal: SIGNAL });
    const renter = images.ensure(reference, asRenter);

    await expect(renter).rejects.toMatchObject({ code: "image-auth-failed" });
    store.slow[0]?.finish();

    expect(await alice).toMatchObject({ id: "sha256:private" });
  });

  it("is still theirs after a restart, and nobody's when the notes are lost", async () => {
    const notesFile = notesPath();
    const before = await imagesHarness({ notesFile });
    const reference = before.serve("private", { accounts: [ALICE.auth] });
    await before.images.ensure(reference, { ...ALICE, signal: SIGNAL });
    await before.notes.close();
    const after = await imagesHarness({ notesFile });
    const lost = await imagesHarness();
    for (const { store } of [after, lost]) store.pulledByOthers(reference, "sha256:private");

    expect(await after.images.local(reference, ALICE, SIGNAL)).toBeDefined();
    expect(await after.images.local(reference, RENTER, SIGNAL)).toBeUndefined();
    expect(await lost.images.local(reference, ALICE, SIGNAL)).toBeUndefined();
    expect(readFileSync(notesFile, "utf8")).not.toContain(ALICE.auth.password);
  });

  it("is given to everybody once the registry has given it to somebody without", async () => {
    const { images, serve } = await imagesHarness();
    const reference = serve("public");
    await images.ensure(reference, { ...ALICE, signal: SIGNAL });

    expect(await images.local(reference, RENTER, SIGNAL)).toBeUndefined();
    await images.ensure(reference, asRenter);

    expect(await images.local(reference, BOB, SIGNAL)).toMatchObject({ id: "sha256:public" });
  });
});

describe("an image that others brought here", () => {
  it("is given to everybody when it was built here or the operator vouches for it", async () => {
    const { images, store } = await imagesHarness({ config: { pinned: ["registry.test/vouched"] } });
    store.build("built:1", "sha256:built");
    store.pulledByOthers("registry.test/vouched:latest", "sha256:vouched");

    expect(await images.local("built:1", RENTER, SIGNAL)).toMatchObject({ id: "sha256:built" });
    expect(await images.local("registry.test/vouched", RENTER, SIGNAL)).toMatchObject({ id: "sha256:vouched" });
    expect(store.pulls).toEqual([]);
  });

  it("is asked of its registry first when it came from one", async () => {
    const { images, store, serve, notes } = await imagesHarness();
    const reference = serve("theirs");
    store.pulledByOthers(reference, "sha256:theirs");

    await images.ensure(reference, asRenter);

    expect(store.pulls).toHaveLength(1);
    expect(notes.get("sha256:theirs")).toMatchObject({ public: true, references: [] });
  });
});
