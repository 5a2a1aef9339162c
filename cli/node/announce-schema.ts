import { SCHEMA } from '../../core/index.ts'
import { type AnnouncementOptions, SelfAnnouncement } from './announce-self.ts'

/** Says in the cluster's state which schema this program reads, where the state says otherwise. */
export class SchemaAnnouncement extends SelfAnnouncement {
  constructor(options: AnnouncementOptions) {
    super(options, { word: 'schema', find: ({ schema }) => (schema === SCHEMA ? undefined : { schema: SCHEMA }) })
  }
}
