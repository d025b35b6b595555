import { runService } from '@millwright/shell';
import { FeaturesModule } from './features.module.js';

await runService({ name: 'features', module: () => FeaturesModule });
