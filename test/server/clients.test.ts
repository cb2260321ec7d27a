// Not in --quick: programs that other people wrote.

/**
 * Clients as people have them, each against the real server: what it asks for is what it gets.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { after, type TestContext, test } from "node:test";
import { notInstalled, runProgram } from "../support/client-programs.ts";
import { ComancheCommand } from "../support/comanche-command.ts";
import { addToTree, makeTree } from "../support/file-tree.ts";
import { until } from "../support/until.ts";

const BOUNDED = { timeout: 180_000 };

const MODIFIED = Date.UTC(2024, 0, 1) / 1000;
/** Names that need escapes in a reference, and a folder in a folder. */
const TREE = {
  "a.txt": "first\n",
  "sub folder/100% ä+b.txt": "second\n",
  "sub folder/deep/what?#1.txt": "third\n",
  "sub folder/deep/a:b.txt": "fourth\n",
};

const top = makeTree({ after }, { "htdocs/tree/": "", "comanche.conf": "" });
addToTree(`${top}/htdocs/tree`, TREE);

/** Started by the first client that is installed. */
let server: ComancheCommand | undefined;
after(() => server?.kill());

/** @returns its URL, without a slash at the end */
async function startServer(): Promise<string> {
  server ??= new ComancheCommand(["-d", "-c", "comanche.conf", "-p", "0", "-l", "access"], { cwd: top });
  return `http://127.0.0.1:${await server.port()}`;
}

interface Visit {
  readonly url: string;
  /** Of this client alone: its home, and its place in the document root. */
  readonly home: string;
  readonly served: string;
  run(program: string, ...args: readonly string[]): Promise<string>;
}

/** @param programs  the first names the client; all of them must be installed */
function client(
  [name, ...others]: readonly [string, ...string[]],
  what: string,
  visit: (visit: Visit, t: TestContext) => Promise<void>,
): void {
  test(`${name}: ${what}`, { skip: notInstalled(name, ...others), ...BOUNDED }, async (t) => {
    const home = `${top}/home-${name}`;
    const served = `${top}/htdocs/${name}`;
    for (const folder of [home, served]) mkdirSync(folder, { recursive: true });
    const run = (program: string, ...args: readonly string[]) => runProgram(home, program, ...args);
    await visit({ url: await startServer(), home, served, run }, t);
  });
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

function isSameFile(got: string, wanted: string): void {
  assert.equal(sha256(got), sha256(wanted));
}

/** A copy of the file that has ended too early. */
function makePart(of: string, path: string, length: number): void {
  writeFileSync(path, readFileSync(of));
  truncateSync(path, length);
}

client(
  ["zsync", "zsyncmake"],
  "mends 100 blocks of 16 MiB, up to 20 ranges at a time",
  async ({ url, home, served, run }) => {
    const [size, block] = [16 * 2 ** 20, 2048];
    const content = randomBytes(size);
    writeFileSync(`${served}/image`, content);
    await run("zsyncmake", "-b", String(block), "-u", "image", "-o", `${served}/image.zsync`, `${served}/image`);
    for (let at = 0; at < 100; at += 1) randomBytes(block).copy(content, at * 80 * block);
    writeFileSync(`${home}/old`, content);
    const told = await run("zsync", "-i", "old", "-o", "new", `${url}/zsync/image.zsync`);
    isSameFile(`${home}/new`, `${served}/image`);
    // It gives up at a 200, and never ends where no CRLF precedes the first boundary.
    const fetched = Number(/fetched (\d+)/.exec(told)?.[1]);
    assert.ok(fetched < 100 * 2 * block, told);
  },
);

client(["zckdl", "zck"], "mends 300 chunks, up to 255 ranges at a time", async ({ url, home, served, run }) => {
  const chunks = Array.from({ length: 600 }, () => `<chunk>${randomBytes(200).toString("hex")}\n`);
  writeFileSync(`${served}/new`, chunks.join(""));
  await run("zck", "-m", "-s", "<chunk>", "-o", `${served}/file.zck`, `${served}/new`);
  writeFileSync(`${home}/old`, chunks.map((chunk, at) => (at % 2 === 0 ? chunk : `<chunk>${at}\n`)).join(""));
  await run("zck", "-m", "-s", "<chunk>", "-o", "old.zck", "old");
  const told = await run("zckdl", "-s", "old.zck", `${url}/zckdl/file.zck`);
  assert.match(told, /Missing chunks: 300\b/);
  // At a 200 it drops the connection, and asks for 127 at a time, then for 7.
  assert.doesNotMatch(told, /too many ranges/);
  isSameFile(`${home}/file.zck`, `${served}/file.zck`);
});

client(["aria2c"], "downloads in four pieces", async ({ url, home, served, run }) => {
  writeFileSync(`${served}/file`, randomBytes(8 * 2 ** 20));
  await run("aria2c", "--no-conf", "-q", "-x4", "-s4", "-k1M", `${url}/aria2c/file`);
  isSameFile(`${home}/file`, `${served}/file`);
});

client(["wget"], "goes on with a download, and mirrors a tree", async ({ url, home, served, run }) => {
  writeFileSync(`${served}/file`, randomBytes(2 ** 20));
  makePart(`${served}/file`, `${home}/file`, 300_000);
  await run("wget", "--no-config", "-q", "-c", `${url}/wget/file`);
  isSameFile(`${home}/file`, `${served}/file`);
  // It has all: 416 with the size is the end, and no failure.
  await run("wget", "--no-config", "-q", "-c", `${url}/wget/file`);
  isSameFile(`${home}/file`, `${served}/file`);

  await run(
    "wget",
    "--no-config",
    "-q",
    "-r",
    "-np",
    "-nH",
    "-R",
    "index.html*",
    "--reject-regex",
    "[?]C=",
    `${url}/tree/`,
  );
  await run("diff", "-r", "tree", `${top}/htdocs/tree`);
});

client(["curl"], "goes on with a download", async ({ url, home, served, run }) => {
  writeFileSync(`${served}/file`, randomBytes(2 ** 20));
  makePart(`${served}/file`, `${home}/file`, 300_000);
  // The second round has nothing to fetch: 416.
  for (let round = 0; round < 2; round += 1) {
    await run("curl", "-q", "-sS", "--continue-at", "-", "-o", "file", `${url}/curl/file`);
    isSameFile(`${home}/file`, `${served}/file`);
  }
});

client(["lftp"], "mirrors a tree with its times", async ({ url, home, run }) => {
  utimesSync(`${top}/htdocs/tree/a.txt`, MODIFIED, MODIFIED);
  await run("lftp", "-c", `set net:max-retries 1; mirror ${url}/tree/ tree`);
  await run("diff", "-r", "tree", `${top}/htdocs/tree`);
  assert.equal(statSync(`${home}/tree/a.txt`).mtimeMs / 1000, MODIFIED);
});

client(["rclone"], "copies a tree, and finds it the same", async ({ url, run }) => {
  const remote = ["--config", "/dev/null", "--http-url", `${url}/tree/`];
  await run("rclone", ...remote, "copy", ":http:", "tree");
  await run("diff", "-r", "tree", `${top}/htdocs/tree`);
  assert.match(await run("rclone", ...remote, "check", "--download", ":http:", "tree"), / 0 differences found/);
});

client(["git"], "clones over dumb HTTP, and fetches what is new", async ({ url, home, served, run }) => {
  const git = (...args: readonly string[]) => run("git", "-c", "user.name=a", "-c", "user.email=a@b.example", ...args);
  const commit = async (text: string) => {
    writeFileSync(`${home}/work/file`, text);
    await git("-C", "work", "add", "file");
    await git("-C", "work", "commit", "-q", "-m", "change");
    await git("-C", "work", "push", "-q", "origin", "HEAD:main");
    await git("-C", `${served}/it.git`, "update-server-info");
  };
  await git("init", "-q", "--bare", "-b", "main", `${served}/it.git`);
  await git("init", "-q", "work");
  await git("-C", "work", "remote", "add", "origin", `${served}/it.git`);
  await commit("one");
  await git("-C", `${served}/it.git`, "gc", "-q");
  await git("-C", `${served}/it.git`, "update-server-info");
  await git("clone", "-q", `${url}/git/it.git`, "clone");
  await commit("two");
  await git("-C", "clone", "pull", "-q", "--ff-only");
  assert.equal(readFileSync(`${home}/clone/file`, "utf8"), "two");
  await git("-C", "clone", "fsck", "--strict");
});

client(["ostree"], "pulls a commit", async ({ url, served, run }) => {
  const serving = `--repo=${served}`;
  await run("ostree", serving, "init", "--mode=archive");
  await run("ostree", serving, "commit", "-b", "main", `--tree=dir=${top}/htdocs/tree`);
  await run("ostree", serving, "summary", "-u");
  await run("ostree", "--repo=repo", "init", "--mode=bare-user-only");
  await run("ostree", "--repo=repo", "remote", "add", "--no-gpg-verify", "it", `${url}/ostree`);
  await run("ostree", "--repo=repo", "pull", "it", "main");
  await run("ostree", "--repo=repo", "checkout", "-U", "it:main", "tree");
  await run("diff", "-r", "tree", `${top}/htdocs/tree`);
});

client(["httpdirfs", "fusermount"], "mounts a tree", async ({ url, home, run }, t) => {
  if (!existsSync("/dev/fuse")) return t.skip("there is no /dev/fuse");
  const mount = `${home}/mount`;
  mkdirSync(mount);
  const program = spawn("httpdirfs", ["-f", `${url}/tree/`, mount], { env: { PATH: process.env.PATH, HOME: home } });
  const ended = once(program, "close");
  let told = "";
  program.stderr.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  program.stdout.resume();
  try {
    const isMounted = () => readFileSync("/proc/mounts", "utf8").includes(` ${mount} `);
    await until("it has mounted the tree", () => isMounted() || program.exitCode !== null, { facts: () => told });
    if (!isMounted()) return t.skip(`it cannot mount here: ${told}`);
    await run("diff", "-r", mount, `${top}/htdocs/tree`);
  } finally {
    if (program.exitCode === null) await run("fusermount", "-u", mount);
    await ended;
  }
});

client(["nbdkit", "nbdcopy"], "is a disk for others", async ({ url, home, served, run }) => {
  writeFileSync(`${served}/disk`, randomBytes(4 * 2 ** 20));
  await run("nbdkit", "-U", "-", "curl", `${url}/nbdkit/disk`, "--run", 'nbdcopy "$uri" copy');
  isSameFile(`${home}/copy`, `${served}/disk`);
});

client(["qemu-img"], "reads an image", async ({ url, home, served, run }, t) => {
  writeFileSync(`${home}/disk`, randomBytes(4 * 2 ** 20));
  await run("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", "disk", `${served}/disk.qcow2`);
  try {
    await run("qemu-img", "convert", "-O", "raw", `${url}/qemu-img/disk.qcow2`, "copy");
  } catch (fault) {
    if (String(fault).includes("Unknown protocol")) return t.skip("its driver for HTTP is not installed");
    throw fault;
  }
  isSameFile(`${home}/copy`, `${home}/disk`);
});

client(["ffmpeg"], "seeks in a film whose table is at its end", async ({ url, served, run }) => {
  const film = `${served}/film.mp4`;
  const quietly = ["-hide_banner", "-loglevel", "error"];
  await run("ffmpeg", ...quietly, "-f", "lavfi", "-i", "testsrc=duration=20:size=160x120:rate=10", "-g", "10", film);
  const frameOf = (source: string) =>
    run("ffmpeg", ...quietly, "-ss", "15", "-i", source, "-frames:v", "1", "-f", "framemd5", "-");
  assert.equal(await frameOf(`${url}/ffmpeg/film.mp4`), await frameOf(film));
});

/**
 * The title `Index of /folder` is how GDAL knows a listing, and `<a href="` how it finds the names in it. Without the first it
 * asks for 40 files that do not exist; without the second it overlooks those that do.
 */
client(["gdalinfo", "gdal_translate"], "finds what lies beside a raster", async ({ url, home, served, run }) => {
  writeFileSync(`${home}/a.asc`, "ncols 2\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n");
  for (const folder of ["plain", "a blank"]) {
    mkdirSync(`${served}/${folder}`);
    await run("gdal_translate", "-q", "-of", "GTiff", "a.asc", `${served}/${folder}/a.tif`);
    writeFileSync(
      `${served}/${folder}/a.tif.aux.xml`,
      '<PAMDataset><PAMRasterBand band="1"><Description>told beside it</Description></PAMRasterBand></PAMDataset>',
    );
    const place = `/vsicurl/${url}/gdalinfo/${encodeURIComponent(folder)}/a.tif`;
    const told = await run("gdalinfo", "--debug", "VSICURL,HTTP", place);
    assert.match(told, /Description = told beside it/, folder);
    assert.doesNotMatch(told, /response_code=404/, folder);
  }
});

const DATE = new Date(MODIFIED * 1000).toUTCString();
const PACKAGES = Array.from({ length: 12 }, (_, number) => `comanche-test-${number}`);

client(["apt-get", "dpkg-deb"], "updates, goes on with a package, and fetches twelve in one go", async (visit) => {
  const { url, home, served, run } = visit;
  const stanzas: string[] = [];
  for (const name of PACKAGES) {
    const control = `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.example>\nDescription: a test\n`;
    addToTree(home, {
      [`${name}/DEBIAN/control`]: control,
      [`${name}/usr/share/${name}`]: randomBytes(50_000).toString("hex"),
    });
    const file = `${served}/${name}.deb`;
    await run("dpkg-deb", "-Znone", "--root-owner-group", "-b", name, file);
    utimesSync(file, MODIFIED, MODIFIED);
    stanzas.push(`${control}Filename: ${name}.deb\nSize: ${statSync(file).size}\nSHA256: ${sha256(file)}\n`);
  }
  writeFileSync(`${served}/Packages`, stanzas.join("\n"));
  const { size } = statSync(`${served}/Packages`);
  const release = `Suite: test\nDate: ${DATE}\nSHA256:\n ${sha256(`${served}/Packages`)} ${size} Packages\n`;
  writeFileSync(`${served}/Release`, release);
  // apt asks whether it is newer than the date in it, not than Last-Modified.
  utimesSync(`${served}/Release`, MODIFIED, MODIFIED);

  addToTree(home, {
    "etc/sources.list": `deb [trusted=yes] ${url}/apt-get ./\n`,
    "etc/apt.conf.d/": "",
    "state/status": "",
    "state/lists/partial/": "",
    "cache/archives/partial/": "",
    "log/": "",
  });
  const own = {
    "Dir::Etc": "etc",
    "Dir::State": "state",
    "Dir::State::status": "state/status",
    "Dir::Cache": "cache",
    "Dir::Log": "log",
  };
  const settings = Object.entries(own).flatMap(([key, value]) => ["-o", `${key}=${home}/${value}`]);
  const apt = (...args: readonly string[]) =>
    run(
      "apt-get",
      ...settings,
      "-o",
      "APT::Sandbox::User=",
      "-o",
      "Debug::NoLocking=1",
      "-o",
      "Debug::Acquire::http=1",
      ...args,
    );

  assert.match(await apt("update"), /^Get:/m);
  // Release is unchanged: If-Modified-Since, 304.
  assert.match(await apt("update"), /^Hit:/m);

  // What is there of the first package has the date of the whole one, which apt sends as If-Range.
  const [first] = PACKAGES;
  const part = `${home}/cache/archives/partial/${first}_1_all.deb`;
  makePart(`${served}/${first}.deb`, part, 30_000);
  utimesSync(part, MODIFIED, MODIFIED);
  const told = await apt("install", "-y", "--download-only", ...PACKAGES);
  assert.match(told, new RegExp(`^If-Range: ${DATE}`, "m"));
  assert.match(told, /^Answer for: .*\n?.*206 Partial Content/m);
  for (const name of PACKAGES) isSameFile(`${home}/cache/archives/${name}_1_all.deb`, `${served}/${name}.deb`);
  assert.deepEqual(readdirSync(`${home}/cache/archives/partial`), []);
});
