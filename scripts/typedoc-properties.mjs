/**
 * A plugin of typedoc: properties of exported interfaces and classes are documented, too. Typedoc's own rule for properties
 * also asks for those of types that are written in place, as events have them, where the name and the event say it all.
 */
import { Application, ReflectionKind } from 'typedoc';

/** Called by typedoc. */
export function load(app) {
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    for (const property of project.getReflectionsByKind(ReflectionKind.Property)) {
      const isNamed = property.parent?.kindOf(ReflectionKind.Interface | ReflectionKind.Class) === true;
      const isOwn = property.inheritedFrom === undefined && !property.flags.isExternal;
      if (isNamed && isOwn && !property.hasComment()) {
        app.logger.validationWarning(`${property.getFullName()} (Property) does not have any documentation`);
      }
    }
  });
}
