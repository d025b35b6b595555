/**
 * Preloaded (`node --import`) into a process whose clock is to jump: every MILLWRIGHT_PROOF_JUMP_MS milliseconds the time of day is
 * set, by turns an hour ahead, right, an hour behind, and right again. What only ever goes forward (performance.now, timers) stays.
 */
const HOUR_MS = 3_600_000;
const OFFSETS_MS = [HOUR_MS, 0, -HOUR_MS, 0];

const RealDate = Date;
const realNow = Date.now.bind(Date);
let offsetMs = 0;
const now = (): number => realNow() + offsetMs;

RealDate.now = now;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[], newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
  apply: () => new RealDate(now()).toString(),
});

let turn = 0;
setInterval(() => {
  offsetMs = OFFSETS_MS[turn++ % OFFSETS_MS.length]!;
}, Number(process.env['MILLWRIGHT_PROOF_JUMP_MS'] ?? 1_000)).unref();

export {};
