export { fieldManager, type ServerFieldManager } from './field-manager.ts';
