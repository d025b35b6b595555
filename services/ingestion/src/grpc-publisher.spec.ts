import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { status } from '@grpc/grpc-js';
import { ProductionUnit_State, TOPICS, Watermark, type Refusal, type SourceStep } from '@millwright/contracts';
import { createLogger } from '@millwright/observability';
import { WATERMARK_KEY } from '@millwright/streams';
import { readAll } from '@millwright/streams/testing';
import { GrpcPublisher } from './grpc-publisher.js';
import { block, START_US, startIngestion } from './testing/fixture.js';

const logger = createLogger({ service: 'test', level: 'silent' });

const step = (sequence: number): SourceStep => ({
  blocks: [block({ source: 'replay', sequence, startUs: START_US + sequence * 1_000_000 }), block({ source: 'replay', asset: 'P-2', sequence, startUs: START_US + sequence * 1_000_000 })],
  production: [
    { source: 'replay', sequence, asset: 'P-2', timeUs: START_US + sequence, body: { $case: 'unit', value: { unitId: `U${sequence}`, product: '', workOrder: '', lot: '', state: ProductionUnit_State.STARTED } } },
  ],
  advanceToUs: START_US + (sequence + 1) * 1_000_000,
});

/** A wire to `address` that can be cut. */
async function wire(address: string) {
  const [host, port] = address.split(':') as [string, string];
  const sockets = new Set<Socket>();
  let up = true;
  const server = createServer({ noDelay: true }, (near) => {
    if (!up) return void near.destroy();
    const far = connect({ port: Number(port), host, noDelay: true });
    for (const [from, to] of [[near, far], [far, near]] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    takeDown: () => {
      up = false;
      cut();
    },
    bringUp: () => {
      up = true;
    },
    close: () => {
      cut();
      server.close();
    },
  };
}

describe('GrpcPublisher', () => {
  it('brings every step over a connection that breaks again and again, once and in order', async () => {
    const fixture = await startIngestion({ watermarkMs: 20, idleMs: Infinity });
    const line = await wire(fixture.shell.addresses.grpc);
    const refusals: Refusal[] = [];
    const publisher = new GrpcPublisher({ address: line.address, source: 'replay', logger, onRefusal: (refusal) => refusals.push(refusal), maxInFlightBytes: 4_000 });
    try {
      for (let sequence = 1; sequence <= 200; sequence++) {
        await publisher.publish(step(sequence));
        if (sequence % 40 === 0) line.cut();
      }
      await publisher.flush();
      expect(refusals).toEqual([]);
      const records = await readAll(fixture.log, [TOPICS.telemetry.name, TOPICS.production.name]);
      const sequences = (topic: string, asset: string) => records.filter((record) => record.topic === topic && record.key === asset).map(({ headers }) => headers.sequence);
      const all = Array.from({ length: 200 }, (_, i) => i + 1);
      expect(sequences(TOPICS.telemetry.name, 'P-1')).toEqual(all);
      expect(sequences(TOPICS.telemetry.name, 'P-2')).toEqual(all);
      expect(sequences(TOPICS.production.name, 'P-2')).toEqual(all);
    } finally {
      publisher.close();
      line.close();
      await fixture.close();
    }
  });

  it('brings telemetry that has to be sent again before the production records of later steps', async () => {
    const fixture = await startIngestion({ watermarkMs: 20, idleMs: Infinity });
    const line = await wire(fixture.shell.addresses.grpc);
    const publisher = new GrpcPublisher({ address: line.address, source: 'replay', logger, onRefusal: () => undefined });
    try {
      await publisher.publish(step(1));
      await publisher.flush();
      line.takeDown();
      for (let sequence = 2; sequence <= 400; sequence++) await publisher.publish({ ...step(sequence), production: [] });
      const last = publisher.publish(step(401));
      line.bringUp();
      await last;
      const records = await readAll(fixture.log, [TOPICS.telemetry.name]);
      for (const asset of ['P-1', 'P-2']) expect(records.filter(({ key }) => key === asset).length).toBeGreaterThanOrEqual(400);
    } finally {
      publisher.close();
      line.close();
      await fixture.close();
    }
  });

  it('advances event time after the data of its step', async () => {
    const fixture = await startIngestion({ watermarkMs: 10, idleMs: Infinity });
    const publisher = new GrpcPublisher({ address: fixture.shell.addresses.grpc, source: 'replay', logger, onRefusal: () => undefined });
    const latest = async () => {
      const records = await readAll(fixture.log, [TOPICS.telemetry.name]);
      return records.filter(({ key }) => key === WATERMARK_KEY).map(({ partition, value }) => [partition, Watermark.decode(value).timeUs] as const);
    };
    try {
      await publisher.publish(step(1));
      await publisher.publish(step(2));
      await publisher.flush();
      let seen: Awaited<ReturnType<typeof latest>> = [];
      const reached = () => [0, 1, 2].every((partition) => seen.some(([at, timeUs]) => at === partition && timeUs === START_US + 3_000_000));
      while (!reached()) seen = await latest();
      // In no partition does time pass what was promised.
      expect(Math.max(...seen.map(([, timeUs]) => timeUs))).toBe(START_US + 3_000_000);
    } finally {
      publisher.close();
      await fixture.close();
    }
  });

  it('tells of refusals and goes on', async () => {
    const fixture = await startIngestion();
    const refusals: Refusal[] = [];
    const publisher = new GrpcPublisher({ address: fixture.shell.addresses.grpc, source: 'replay', logger, onRefusal: (refusal) => refusals.push(refusal) });
    try {
      await publisher.publish({ ...step(1), blocks: [block({ asset: 'P-9' }), block()], production: [] });
      await publisher.publish({ ...step(2), production: [] });
      await publisher.flush();
      expect(refusals).toMatchObject([{ field: 'blocks[0].asset', reason: 'UNKNOWN_ASSET' }]);
    } finally {
      publisher.close();
      await fixture.close();
    }
  });

  it('gives up when ingestion stays away, and says how much was not acknowledged', async () => {
    const fixture = await startIngestion();
    const line = await wire(fixture.shell.addresses.grpc);
    const publisher = new GrpcPublisher({ address: line.address, source: 'replay', logger, onRefusal: () => undefined, giveUpMs: 200 });
    try {
      await publisher.publish({ ...step(1), production: [] });
      await publisher.flush();
      line.takeDown();
      await publisher.publish({ ...step(2), production: [] });
      await expect(publisher.flush()).rejects.toThrow(/1 requests unacknowledged/);
      await expect(publisher.publish(step(3))).rejects.toMatchObject({ code: status.UNAVAILABLE });
    } finally {
      publisher.close();
      line.close();
      await fixture.close();
    }
  });

  it('survives an idle connection that breaks', async () => {
    const fixture = await startIngestion();
    const line = await wire(fixture.shell.addresses.grpc);
    const publisher = new GrpcPublisher({ address: line.address, source: 'replay', logger, onRefusal: () => undefined, giveUpMs: 5_000 });
    try {
      for (let sequence = 1; sequence <= 3; sequence++) {
        await publisher.publish(step(sequence));
        await publisher.flush();
        line.cut();
      }
      const records = await readAll(fixture.log, [TOPICS.telemetry.name]);
      expect(records.filter(({ key }) => key !== WATERMARK_KEY)).toHaveLength(6);
    } finally {
      publisher.close();
      line.close();
      await fixture.close();
    }
  });
});
