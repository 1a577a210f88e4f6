"""A contract for import-linter: what a package may import from outside itself.

import-linter's own `forbidden` contract needs every forbidden package listed; here the few allowed ones are.
"""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

__all__ = ["AllowedExternals"]


class AllowedExternals(Contract):
    """The package imports itself, the standard library and the allowed packages, and nothing else.

    Configuration: `package`, the name of the package, and `allowed`, a list of top-level packages.
    """

    type_name = "allowed_externals"

    package = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Look at what each module of the package imports directly."""
        allowed = {str(self.package), *self.allowed, *sys.stdlib_module_names}
        offences = [
            f"{importer} -> {imported} (l.{line})"
            for importer in sorted({str(self.package), *graph.find_descendants(self.package)})
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if imported.partition(".")[0] not in allowed
            for line in sorted(
                detail["line_number"] for detail in graph.get_import_details(importer=importer, imported=imported)
            )
        ]
        return ContractCheck(kept=not offences, metadata={"offences": offences})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """List the imports that are not allowed, with their lines."""
        for offence in check.metadata["offences"]:
            output.print_error(f"- {offence}", bold=False)
