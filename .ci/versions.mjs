// Every file compiled, warnings taken for errors, by CPython as it is built for WebAssembly (npm's `pyodide`), and the tests
// run that need no compiled package. `node .ci/versions.mjs PYODIDE ROOT SITE_PACKAGES`; the status is 1 where something fails.
const [, , pyodide, root, packages] = process.argv;
const { loadPyodide } = await import(`${pyodide}/pyodide.mjs`);
const python = await loadPyodide();
python.mountNodeFS("/project", root);
python.mountNodeFS("/packages", packages);
let status = 1;
try {
  status = python.runPython(`
import os, pathlib, sys, warnings

warnings.simplefilter("error")
folders = ("benchmark", "methods", "noise", "performance", "reports", "results", "tests")
files = [pathlib.Path("/project/run_all.py")]
files += [path for folder in folders for path in sorted(pathlib.Path("/project", folder).rglob("*.py"))]
for path in files:
    compile(path.read_text(encoding="utf-8"), str(path), "exec")
print(f"Python {sys.version.split()[0]}: {len(files)} files compile without a warning", flush=True)
warnings.simplefilter("default")
sys.dont_write_bytecode = True
sys.path[:0] = ["/project"]
sys.path.append("/packages")
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
os.chdir("/project")
import pytest

int(pytest.main(["-q", "-c", "/dev/null", "--rootdir=/project", "--noconftest", "-p", "no:cacheprovider", "--capture=no",
                 "tests/methods/test_recipe.py", "tests/test_source_code.py"]))
`);
} catch (error) {
  console.error(error.message.trim().split("\n").slice(-3).join("\n"));
}
process.exit(status);
