export { createAlertingProcessor } from './alerting.processor.js';
export { AlertingModule } from './alerting.module.js';
