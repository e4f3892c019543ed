/** The container cannot be configured: shown as CreateContainerConfigError. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
