export { runSetup, SetupFailure } from './run-setup.ts'
export { type EndedStep, type StepEvent, type StepHandle, StepList, type StepState } from './step-list.ts'
export type { Disk, Firewall, Found, InterfaceAddress, ListeningSocket, Survey } from './survey/survey.ts'
export { hasBundle, type UploadOptions, uploadBundle } from './upload-bundle.ts'
