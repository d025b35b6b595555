import { status, type ServiceError } from '@grpc/grpc-js';
import { AlarmServiceClient, AlarmState, Priority, type Alarm, type ListAlarmsResponse, type AcknowledgeAlarmResponse } from '@millwright/contracts';
import { channelCredentials, type ConnectionOptions } from './connection.js';
import { UsageError } from './usage-error.js';

const time = (us: number): string => new Date(us / 1000).toISOString().slice(0, 19).replace('T', ' ') + 'Z';

const row = (alarm: Alarm): string =>
  `${alarm.id}  ${Priority[alarm.priority].toLowerCase()}  ${AlarmState[alarm.state].toLowerCase().replaceAll('_', ' ')}  since ${time(alarm.raisedUs)}  ${alarm.message}`;

/** `millwright alarms list`. */
export async function listAlarms({ asset, ...connection }: ConnectionOptions & { readonly asset?: string }): Promise<number> {
  return withClient(connection, async (client) => {
    let pageToken = '';
    let any = false;
    do {
      const page = await call<ListAlarmsResponse>((done) => client.listAlarms({ asset: asset ?? '', pageSize: 0, pageToken }, done));
      for (const group of page.groups) {
        any = true;
        process.stdout.write(`${group.asset}\n${group.alarms.map((alarm) => `  ${row(alarm)}\n`).join('')}`);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    if (!any) process.stdout.write('No alarms.\n');
    return 0;
  });
}

/** `millwright alarms acknowledge`. */
export async function acknowledgeAlarm({ id, by, comment, ...connection }: ConnectionOptions & { readonly id: string; readonly by: string; readonly comment?: string }): Promise<number> {
  return withClient(connection, async (client) => {
    const { alarm } = await call<AcknowledgeAlarmResponse>((done) => client.acknowledgeAlarm({ alarmId: id, occurrence: 0, by, comment: comment ?? '' }, done));
    if (alarm !== undefined) process.stdout.write(`${row(alarm)}\n`);
    return 0;
  });
}

/** What the person can mend, by their hand or by their question. */
const FOR_PEOPLE: ReadonlySet<status> = new Set([status.NOT_FOUND, status.INVALID_ARGUMENT, status.FAILED_PRECONDITION, status.UNAVAILABLE]);

async function withClient(connection: ConnectionOptions, use: (client: AlarmServiceClient) => Promise<number>): Promise<number> {
  const { address } = connection;
  const client = new AlarmServiceClient(address, channelCredentials(connection));
  try {
    return await use(client);
  } catch (error) {
    const { code, details } = error as ServiceError;
    if (code === undefined || !FOR_PEOPLE.has(code)) throw error;
    throw new UsageError(code === status.UNAVAILABLE ? `Alerting does not answer at ${address}: start it, or give its gRPC address with --address.` : details);
  } finally {
    client.close();
  }
}

const call = <R>(start: (done: (error: ServiceError | null, response: R) => void) => unknown): Promise<R> =>
  new Promise((resolve, reject) => {
    start((error, response) => (error === null ? resolve(response) : reject(error)));
  });
