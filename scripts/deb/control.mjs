// The files that dpkg and Debian's policy ask for, as texts: control, copyright, changelog. All is made from package.json,
// CHANGELOG.md and the packages that go in.
/** Who packages it; a distributor sets DEBFULLNAME and DEBEMAIL, as for dch(1). */
export function maintainer(
  { DEBFULLNAME = 'the Shoal authors', DEBEMAIL = 'shoal@localhost' } = process.env,
) {
  return `${DEBFULLNAME} <${DEBEMAIL}>`
}

/** Throws if it is none that dpkg takes. */
export function debianVersion(version) {
  // A hyphen would start a revision, and what npm calls 1.0.0-rc.1 comes before 1.0.0, which dpkg writes with a tilde.
  const debian = version.replace('-', '~').replaceAll('-', '.')
  if (!/^\d[0-9A-Za-z.+~]*$/.test(debian))
    throw new Error(`cannot build: "${version}" is no version for dpkg`)
  return debian
}

/** `installedBytes` is of all files. */
export function controlFile({ version, architecture, depends, installedBytes, description }) {
  return `Package: shoal
Version: ${version}
Architecture: ${architecture}
Maintainer: ${maintainer()}
Installed-Size: ${Math.ceil(installedBytes / 1024)}
Depends: ${[...new Set([...depends, 'adduser'])].sort().join(', ')}
Section: net
Priority: optional
Description: directory sync between machines, peer to peer and encrypted
${folded(description)}
 .
 One daemon runs for each configuration file in /etc/shoal, under the user
 that the file's name says. The files are BitTorrent Sync's format, and its
 old ones work. The Node.js runtime it needs is part of the package.
`
}

/** Machine-readable copyright file; each package's own licence text stays with it. */
export function copyrightFile({ licenceText, packages, runtime }) {
  const [, owner] = /^Copyright \(c\) (.+)$/m.exec(licenceText)
  const rows = packages.map(
    ({ path, name, version, licence }) => ` ${name} ${version}: ${licence} (/usr/lib/shoal/${path})`,
  )
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Shoal

Files: *
Copyright: ${owner}
License: MIT

Files: usr/lib/shoal/node
Copyright: Node.js contributors, and those named in /usr/share/doc/shoal/node-LICENSE.gz
License: node
 Node.js ${runtime.version}, with the libraries it holds (V8, OpenSSL, ICU, libuv and
 others); their licences are in /usr/share/doc/shoal/node-LICENSE.gz.

Files: usr/lib/shoal/dist/program/*
Copyright: ${owner}; of the packages in it, as listed in /usr/lib/shoal/dist/program/THIRD-PARTY.txt
License: MIT and those listed there

Files: usr/lib/shoal/node_modules/*
Copyright: their authors, named in the licence file beside each
License: packages
 Each package stands under its own licence:
${[...new Set(rows)].join('\n')}

License: MIT
${licenceText
  .trim()
  .split('\n')
  .slice(4)
  .map((line) => (line === '' ? ' .' : ` ${line}`))
  .join('\n')}
`
}

/**
 * CHANGELOG.md's sections "## VERSION" in Debian's form. A section that names no version yet tells of the one that is
 * built; if nothing does, a line says so.
 */
export function changelogFile(changelog, version, date) {
  const items = new Map([[version, []]])
  for (const section of changelog.split(/^## /m).slice(1)) {
    const [heading, ...lines] = section.trim().split('\n')
    const [named] = /^\d\S*/.exec(heading) ?? []
    const of = named === undefined ? version : debianVersion(named)
    items.set(of, [...(items.get(of) ?? []), ...itemsOf(lines.join('\n'))])
  }
  if (items.get(version).length === 0) items.get(version).push('Built from the sources between two versions.')
  const entries = [...items].map(([name, list]) => ({ version: name, items: list }))
  const when = date.toUTCString().replace('GMT', '+0000')
  return entries
    .map(({ version, items }) => {
      const body = items.map((item) => `  * ${wrapped(item, 74).join('\n    ')}`).join('\n')
      return `shoal (${version}) unstable; urgency=medium\n\n${body}\n\n -- ${maintainer()}  ${when}\n`
    })
    .join('\n')
}

/** Bullets, and paragraphs, each as one line without Markdown's marks; headings are left out. */
function itemsOf(text) {
  const blocks = text.split(/\n\s*\n|\n(?=- )|^(?=- )/)
  return blocks
    .filter((block) => !block.trimStart().startsWith('#'))
    .map((block) => block.replace(/^- /, '').replace(/\s+/g, ' ').replaceAll('`', '').trim())
    .filter(Boolean)
}

function folded(text) {
  return wrapped(`${text}.`, 76)
    .map((line) => ` ${line}`)
    .join('\n')
}

function wrapped(text, width) {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines
}
