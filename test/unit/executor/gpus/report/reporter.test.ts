/** What is told to an agent, when, and from where on, on a clock that the test moves. */
import { describe, expect, it } from "vitest";

import { GpuReporter } from "../../../../../executor/gpus/report/reporter.ts";
import type { Accelerator, AcceleratorReading, Accelerators } from "../../../../../protocol/accelerator.ts";
import { type GpuReport, type GpuState, type HeldGpus, takeGpuReport } from "../../../../../protocol/gpu-report.ts";
import type { PodPhase } from "../../../../../protocol/pod.ts";
import { podId } from "../../../../support/builders.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { accelerator, READ_AT, toldUuid } from "../../../../support/gpus/told.ts";

/** A host with as many devices as asked for, and an agent that listens. */
class Scene {
  readonly clock = new FakeClock();
  readonly reports: GpuReport[] = [];
  readonly reporter: GpuReporter;
  readonly #changed = new Set<() => void>();
  readonly #statuses = new Set<() => void>();
  readonly #over = new AbortController();
  #gpus: Accelerator[];
  #pods: { podId: ReturnType<typeof podId>; phase: PodPhase; gpus: Accelerator["uuid"][] }[] = [];
  held: HeldGpus | undefined;

  constructor(count: number) {
    this.#gpus = Array.from({ length: count }, (_, n) => accelerator(n));
    const snapshot = (): Accelerators => ({ at: READ_AT, gpus: this.#gpus, pairs: [], sources: [] });
    const listenTo = (set: Set<() => void>) => (listener: () => void) => {
      set.add(listener);
      return () => set.delete(listener);
    };
    this.reporter = new GpuReporter({
      gpus: { snapshot, onChange: (listener) => listenTo(this.#changed)(() => listener([])) },
      pods: { reports: () => this.#pods.map((status) => ({ status })), onStatus: listenTo(this.#statuses) },
      clock: this.clock,
      random: () => 0.5,
      run: "run",
    });
  }

  /** Listens and waits for the first report. */
  async listen(from?: string): Promise<void> {
    const take = (report: GpuReport): void => {
      this.reports.push(report);
      this.held = takeGpuReport(this.held, report) ?? this.held;
    };
    void this.reporter.follow(from, take, this.#over.signal);
    await this.clock.advance(500);
  }

  read(n: number, over: Partial<AcceleratorReading>): void {
    this.#gpus = this.#gpus.map((gpu) => (gpu.uuid === toldUuid(n) ? accelerator(n, over) : gpu));
  }

  change(n: number, over: Partial<AcceleratorReading>): void {
    this.read(n, over);
    for (const tell of this.#changed) tell();
  }

  hold(phase: PodPhase, ...numbers: number[]): void {
    this.#pods = [{ podId: podId(1), phase, gpus: numbers.map(toldUuid) }];
    for (const tell of this.#statuses) tell();
  }

  get listeners(): number {
    return this.#changed.size + this.#statuses.size;
  }

  get state(): GpuState | undefined {
    return this.held?.state;
  }

  end(): void {
    this.#over.abort();
  }
}

const LOST = { state: "fenced" as const, reasons: [{ code: "lost", message: "It is lost.", fence: true }] };

describe("an agent that listens", () => {
  it("is told everything first", async () => {
    const scene = new Scene(8);
    scene.hold("running", 3);

    await scene.listen();

    expect(scene.reports).toHaveLength(1);
    expect(scene.reports[0]).not.toHaveProperty("after");
    expect(scene.state?.gpus).toHaveLength(8);
    expect(scene.state?.holders).toEqual([{ uuid: toldUuid(3), podId: podId(1) }]);
    scene.end();
  });

  it("is told of one fence at once, of that device alone", async () => {
    const scene = new Scene(8);
    await scene.listen();

    scene.read(1, { temperature: { gpuCelsius: 77 } });
    scene.change(5, { health: LOST });
    await scene.clock.advance(0);

    expect(scene.reports.at(-1)?.gpus.map(({ uuid }) => uuid)).toEqual([toldUuid(5)]);
    expect(scene.reports.at(-1)?.after).toBe(scene.reports.at(-2)?.cursor);
    scene.end();
  });

  it("is told at once who has a device, and that nobody has it any more", async () => {
    const scene = new Scene(2);
    await scene.listen();

    scene.hold("running", 0, 1);
    await scene.clock.advance(0);
    expect(scene.reports.at(-1)).toMatchObject({ gpus: [], holders: [{ podId: podId(1) }, { podId: podId(1) }] });

    scene.hold("ended", 0, 1);
    await scene.clock.advance(0);
    expect(scene.state?.holders).toEqual([]);
    scene.end();
  });

  it("is told of what only moves every 15 s, and then that nothing changed", async () => {
    const scene = new Scene(2);
    await scene.listen();

    scene.change(0, {
      temperature: { gpuCelsius: 60 },
      power: { drawWatts: 400, energyMillijoules: 5 },
      memory: { totalBytes: 80 * 2 ** 30, usedBytes: 5 },
      processes: [{ pid: 7, memoryBytes: 5 }],
      pcie: { generation: 1, replays: 3 },
    });
    await scene.clock.advance(14_000);
    expect(scene.reports).toHaveLength(1);
    await scene.clock.advance(1_000);
    expect(scene.reports).toHaveLength(2);
    expect(scene.state?.gpus[0]).toMatchObject({ temperature: { gpuCelsius: 60 }, processes: [{ pid: 7 }] });

    await scene.clock.advance(15_000);
    expect(scene.reports.at(-1)).toMatchObject({ gpus: [], removed: [] });
    scene.end();
  });

  it("is told within 2 s of what lasts and came without word", async () => {
    const scene = new Scene(2);
    await scene.listen();

    scene.read(0, { health: { state: "suspect", reasons: [{ ...LOST.reasons[0]!, fence: false }] } });
    await scene.clock.advance(2_000);

    expect(scene.state?.gpus[0]?.health.state).toBe("suspect");
    scene.end();
  });

  it("that comes back with the last cursor is told the difference alone, and with another one everything", async () => {
    const scene = new Scene(4);
    await scene.listen();
    const { cursor } = scene.held!;
    scene.read(2, { health: LOST });

    await scene.listen(cursor);
    expect(scene.reports.at(-1)).toMatchObject({ after: cursor, gpus: [{ uuid: toldUuid(2) }] });

    await scene.listen("run-99");
    expect(scene.reports.at(-1)?.gpus).toHaveLength(4);
    expect(scene.reports.at(-1)).not.toHaveProperty("after");
    scene.end();
  });
});

describe("an agent that leaves", () => {
  it("leaves nothing behind, and another that comes ends the first", async () => {
    const scene = new Scene(1);
    await scene.listen();
    await scene.listen();
    expect(scene.listeners).toBe(2);

    scene.end();
    await scene.clock.advance(0);

    expect(scene.listeners).toBe(0);
    expect(scene.clock.sleeping).toBe(0);
  });
});
