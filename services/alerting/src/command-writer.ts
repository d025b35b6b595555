import { randomUUID } from 'node:crypto';
import { AlarmCommand, TOPICS } from '@millwright/contracts';
import { partitionFor, type EventLog } from '@millwright/streams';

/** A partition's commands: one after the other, counted without gaps. */
interface Lane {
  source: string;
  sequence: number;
  last: Promise<void>;
}

/** Writes what people do to alarm-commands.v1. */
export class CommandWriter {
  readonly #log: EventLog;
  readonly #instance: string;
  readonly #lanes = new Map<number, Lane>();

  /** @param instance tells this process from others of the service */
  constructor(log: EventLog, instance: string) {
    this.#log = log;
    this.#instance = instance;
  }

  /** Resolves when the log has the command. @throws what the log says when it can't take it */
  async write(command: AlarmCommand): Promise<void> {
    const partition = partitionFor(command.asset, await this.#log.partitions(TOPICS.alarmCommands.name));
    const lane = this.#lanes.get(partition) ?? this.#newLane(partition);
    const written = lane.last.then(() => this.#append(lane, partition, command));
    // The next command waits for this one and not for its success.
    lane.last = written.catch(() => undefined);
    await written;
  }

  async #append(lane: Lane, partition: number, command: AlarmCommand): Promise<void> {
    const { name, schema } = TOPICS.alarmCommands;
    const headers = { schema, source: lane.source, sequence: ++lane.sequence };
    const timeMs = Math.floor(command.timeUs / 1000);
    try {
      await this.#log.append([{ topic: name, partition, key: command.asset, value: AlarmCommand.encode(command).finish(), timeMs, headers }]);
    } catch (error) {
      // Whether the log has this sequence is not known: a new source leaves neither a gap nor a number that is used twice.
      Object.assign(lane, { source: this.#newSource(partition), sequence: 0 });
      throw error;
    }
  }

  #newLane(partition: number): Lane {
    const lane: Lane = { source: this.#newSource(partition), sequence: 0, last: Promise.resolve() };
    this.#lanes.set(partition, lane);
    return lane;
  }

  /** Never used before, also not by an earlier process of this name. */
  #newSource(partition: number): string {
    return `alerting-api/${this.#instance}-${randomUUID().slice(0, 8)}/${partition}`;
  }
}
