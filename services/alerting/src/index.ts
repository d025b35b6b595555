export { createAlertingProcessor } from './alerting.processor.js';
