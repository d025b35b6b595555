import { runService } from '@millwright/shell';
import { IngestionModule } from './ingestion.module.js';
import { ingestionEnvironment } from './settings.js';

await runService({ name: 'ingestion', environment: ingestionEnvironment, module: (settings) => IngestionModule.forRoot(settings) });
