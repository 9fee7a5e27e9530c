/** The page's frame. What is put in is already escaped for its place. */
export interface PageParts {
  title: string;
  /** Its content security policy. */
  policy: string;
  styles: string;
  library: string;
  script: string;
  /** JSON. */
  data: string;
  /** Script elements with packed runs. */
  runs: string;
}

export const pageOf = ({ title, policy, styles, library, script, data, runs }: PageParts) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${title} · Headroom simulation</title>
<style>${styles}</style>
</head>
<body>
<header class="top">
<div>
<p class="product">Headroom simulation</p>
<h1>${title}</h1>
<p id="facts" class="facts"></p>
</div>
<button id="theme" type="button" class="quiet">Theme</button>
</header>
<noscript><p class="notice">This page draws with JavaScript, which is switched off here. It loads nothing from elsewhere.</p></noscript>
<main id="main">
<section aria-labelledby="scores-title" id="scores"><h2 id="scores-title">Scores</h2></section>
<section aria-labelledby="sweeps-title" id="sweeps" hidden><h2 id="sweeps-title">Sweep</h2></section>
<section aria-labelledby="run-title" id="run"><h2 id="run-title">Memory of every node</h2></section>
</main>
<script type="application/json" id="data">${data}</script>
${runs}
<script>${library}</script>
<script type="module">${script}</script>
</body>
</html>
`;
