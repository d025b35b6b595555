import { runService } from '@millwright/shell';
import { AlertingModule } from './alerting.module.js';

await runService({ name: 'alerting', module: () => AlertingModule });
