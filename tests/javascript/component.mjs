// The functions of a component's script, which exports only what Streamlit calls: read, and asked for by name.

import { readFileSync } from "node:fs";

export function functionsOf(path, ...names) {
  const source = readFileSync(new URL(`../../skinlens/ui/components/${path}`, import.meta.url), "utf-8");
  const plain = source.replace("export default function", "function component");
  return new Function(`${plain}; return { ${names.join(", ")} };`)();
}
