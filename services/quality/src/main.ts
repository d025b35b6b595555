import { runService } from '@millwright/shell';
import { QualityModule } from './quality.module.js';

await runService({ name: 'quality', module: () => QualityModule });
