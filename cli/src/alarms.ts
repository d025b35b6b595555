import { AlarmServiceClient, AlarmState, Priority, type Alarm, type ListAlarmsResponse, type AcknowledgeAlarmResponse } from '@millwright/contracts';
import { call, withClient, type ConnectionOptions } from './connection.js';

const time = (us: number): string => new Date(us / 1000).toISOString().slice(0, 19).replace('T', ' ') + 'Z';

const row = (alarm: Alarm): string =>
  `${alarm.id}  ${Priority[alarm.priority].toLowerCase()}  ${AlarmState[alarm.state].toLowerCase().replaceAll('_', ' ')}  since ${time(alarm.raisedUs)}  ${alarm.message}`;

/** `millwright alarms list`. */
export async function listAlarms({ asset, ...connection }: ConnectionOptions & { readonly asset?: string }): Promise<number> {
  return withClient(AlarmServiceClient, 'Alerting', connection, async (client) => {
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
  return withClient(AlarmServiceClient, 'Alerting', connection, async (client) => {
    const { alarm } = await call<AcknowledgeAlarmResponse>((done) => client.acknowledgeAlarm({ alarmId: id, occurrence: 0, by, comment: comment ?? '' }, done));
    if (alarm !== undefined) process.stdout.write(`${row(alarm)}\n`);
    return 0;
  });
}
