import { Metadata, status, type UntypedHandleCall } from '@grpc/grpc-js';
import {
  AlarmState, type AcknowledgeAlarmRequest, type AcknowledgeAlarmResponse, type Alarm, type AlarmEvent, type AlarmServiceServer,
  type ListAlarmsRequest, type ListAlarmsResponse, type WatchAlarmsRequest, type WatchAlarmsResponse,
} from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import {
  failedPrecondition, invalidArgument, notFound, resourceExhausted, RpcError, serverStreaming, unary, unavailable, type FieldViolation,
} from '@millwright/shell';
import { listAlarms } from './alarm-list.js';
import type { AlarmView } from './alarm-view.js';
import type { CommandWriter } from './command-writer.js';

export interface AlarmControllerOptions {
  readonly plant: Plant;
  readonly view: AlarmView;
  readonly commands: CommandWriter;
  /** Microseconds since the epoch, for the time of commands. */
  readonly nowUs: () => number;
  /** Aborts when the process shuts down; watches end then. */
  readonly closing: AbortSignal;
  /** How long an acknowledgement may take to show; default 5000 ms. */
  readonly acknowledgeMs?: number;
  /** Events kept for a watcher that reads slowly; default 1000. */
  readonly watchQueue?: number;
}

const STANDARD_PAGE = 100;
const LARGEST_PAGE = 1000;
const LONGEST_TEXT = 1000;

const WAITING: ReadonlySet<AlarmState> = new Set([AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED]);

/** How people and systems work with alarms. */
export class AlarmController implements AlarmServiceServer {
  [method: string]: UntypedHandleCall;
  readonly #options: AlarmControllerOptions;

  constructor(options: AlarmControllerOptions) {
    this.#options = options;
  }

  readonly listAlarms = unary<ListAlarmsRequest, ListAlarmsResponse>(async ({ asset, pageSize, pageToken }) => {
    if (asset !== '') this.#checkAsset(asset);
    if (pageSize < 0) throw invalidArgument([{ field: 'page_size', reason: 'OUT_OF_RANGE', description: `${pageSize} is negative; give 1 to ${LARGEST_PAGE}, or 0 for ${STANDARD_PAGE}.` }]);
    await this.#caughtUp();
    const alarms = [...this.#options.view.open()].filter((alarm) => asset === '' || alarm.asset === asset);
    const response = listAlarms(alarms, Math.min(pageSize || STANDARD_PAGE, LARGEST_PAGE), pageToken);
    if (response === undefined) throw invalidArgument([{ field: 'page_token', reason: 'TOKEN_UNKNOWN', description: 'This is no token of ListAlarms; send next_page_token of the page before, or nothing for the first page.' }]);
    return response;
  });

  readonly acknowledgeAlarm = unary<AcknowledgeAlarmRequest, AcknowledgeAlarmResponse>(async (request, call) => {
    const violations = violationsOf(request);
    if (violations.length > 0) throw invalidArgument(violations);
    await this.#caughtUp();
    const alarm = this.#waiting(request);
    const { occurrence, id, asset } = alarm;
    const { by, comment } = request;
    const timeUs = this.#options.nowUs();
    try {
      await this.#options.commands.write({ alarmId: id, asset, timeUs, command: { $case: 'acknowledge', value: { occurrence, by, comment } } });
    } catch (error) {
      throw unavailable('LOG_UNAVAILABLE', `The acknowledgement of ${id} could not be written to the log (${error instanceof Error ? error.message : String(error)}); send it again after a while.`);
    }
    return { alarm: await this.#acknowledged(alarm, call) };
  });

  readonly watchAlarms = serverStreaming<WatchAlarmsRequest, WatchAlarmsResponse>((request, call) => {
    if (request.asset !== '') this.#checkAsset(request.asset);
    return this.#events(request.asset, () => call.sendMetadata(new Metadata()));
  });

  /** Until the alarms of before the start are known, an answer would be wrong. */
  async #caughtUp(): Promise<void> {
    try {
      await this.#options.view.caughtUp();
    } catch {
      throw unavailable('SHUTTING_DOWN', 'The alerting service is shutting down; ask another instance.');
    }
  }

  #checkAsset(asset: string): void {
    const { plant } = this.#options;
    if (!plant.assets.has(asset)) throw notFound('ASSET_UNKNOWN', `asset: "${asset}" is not in the plant file of ${plant.name}.`);
  }

  /** The alarm that the request means, which waits for acknowledgement. */
  #waiting({ alarmId, occurrence }: AcknowledgeAlarmRequest): Alarm {
    const alarm = this.#options.view.get(alarmId);
    if (alarm === undefined) throw notFound('ALARM_UNKNOWN', `alarm_id: there is no alarm "${alarmId}"; ListAlarms gives the ids.`);
    if (occurrence !== 0 && occurrence !== alarm.occurrence) {
      throw failedPrecondition('OCCURRENCE_NOT_PRESENT', `occurrence: ${alarmId} is at occurrence ${alarm.occurrence}, not ${occurrence}; look at it again before acknowledging.`);
    }
    if (WAITING.has(alarm.state)) return alarm;
    throw failedPrecondition('ACKNOWLEDGED_ALREADY', `alarm_id: occurrence ${alarm.occurrence} of ${alarmId} was acknowledged by ${alarm.acknowledgedBy}; there is nothing left to acknowledge.`);
  }

  /** The alarm when the view shows that it has been acknowledged. */
  async #acknowledged({ id, occurrence }: Alarm, call: { once(event: 'cancelled', listener: () => void): unknown }): Promise<Alarm> {
    const { view, closing, acknowledgeMs = 5_000 } = this.#options;
    const gone = new AbortController();
    call.once('cancelled', () => gone.abort());
    const over = AbortSignal.any([gone.signal, closing, AbortSignal.timeout(acknowledgeMs)]);
    const alarm = await view.until(id, (each) => each.occurrence > occurrence || (each.occurrence === occurrence && each.acknowledgedUs !== 0), over);
    if (alarm === undefined) {
      throw new RpcError(status.DEADLINE_EXCEEDED, `The acknowledgement of ${id} is in the log but did not show within ${acknowledgeMs} ms; it takes effect when the alerting service gets to it.`);
    }
    if (alarm.occurrence > occurrence) {
      throw failedPrecondition('OCCURRENCE_NOT_PRESENT', `occurrence: ${id} was raised again meanwhile (occurrence ${alarm.occurrence}); look at it again before acknowledging.`);
    }
    return alarm;
  }

  /** Events from when `watching` is called. One that a slow watcher has no room for ends the stream, after those that it had room for. */
  async *#events(asset: string, watching: () => void): AsyncGenerator<WatchAlarmsResponse> {
    const { view, closing, watchQueue = 1_000 } = this.#options;
    const queue: AlarmEvent[] = [];
    let overflowed = false;
    let news = Promise.withResolvers<void>();
    const stop = view.listen((event) => {
      if (overflowed || (asset !== '' && event.alarm?.asset !== asset)) return;
      if (queue.length < watchQueue) queue.push(event);
      else overflowed = true;
      news.resolve();
    });
    const wake = (): void => news.resolve();
    closing.addEventListener('abort', wake);
    // Headers go out before the first event, so that the client knows from when on it misses nothing.
    watching();
    try {
      for (;;) {
        for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield { event };
        if (overflowed) throw resourceExhausted('WATCHER_TOO_SLOW', `More than ${watchQueue} events waited for this watcher; read faster, list the alarms and watch again.`);
        if (closing.aborted) throw unavailable('SHUTTING_DOWN', 'The alerting service is shutting down; list the alarms and watch again at another instance.');
        await news.promise;
        news = Promise.withResolvers();
      }
    } finally {
      closing.removeEventListener('abort', wake);
      stop();
    }
  }
}

function violationsOf({ alarmId, by, comment }: AcknowledgeAlarmRequest): FieldViolation[] {
  const violations: FieldViolation[] = [];
  if (alarmId === '') violations.push({ field: 'alarm_id', reason: 'REQUIRED', description: 'Name the alarm; ListAlarms gives the ids.' });
  if (by.trim() === '') violations.push({ field: 'by', reason: 'REQUIRED', description: 'Say who acknowledges.' });
  for (const [field, text] of Object.entries({ by, comment })) {
    if (text.length > LONGEST_TEXT) violations.push({ field, reason: 'TOO_LONG', description: `${text.length} characters are too many; ${LONGEST_TEXT} at most.` });
  }
  return violations;
}
