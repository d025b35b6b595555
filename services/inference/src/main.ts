import { runService } from '@millwright/shell';
import { inferenceEnvironment } from './environment.js';
import { InferenceModule } from './inference.module.js';

await runService({ name: 'inference', environment: inferenceEnvironment, module: (settings) => InferenceModule.with(settings) });
