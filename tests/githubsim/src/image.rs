//! The stand-in runner as a container image, made without any tool: a tar of its files, or a whole
//! image archive.

use serde_json::json;

const BLOCK: usize = 512;
/// The user that the official image runs as.
const RUNNER: u64 = 1001;
const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin\nrunner:x:1001:1001::/home/runner:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nrunner:x:1001:\ndocker:x:123:runner\n";

/// What goes into the image.
#[derive(Debug, Clone)]
pub struct Image {
    /// The stand-in runner, statically linked.
    pub program: Vec<u8>,
    /// Variables it is to find (`K=V`).
    pub environment: Vec<String>,
}

impl Image {
    /// The files, for `docker import`. Variables go into the runner's `.env` file.
    #[must_use]
    pub fn files(&self) -> Vec<u8> {
        let mut tar = Tar::default();
        for directory in ["etc/", "etc/ssl/", "home/", "var/", "var/run/"] {
            tar.add(directory, b"", 0o755, 0);
        }
        tar.add("tmp/", b"", 0o1777, 0);
        tar.add("etc/passwd", PASSWD.as_bytes(), 0o644, 0);
        tar.add("etc/group", GROUP.as_bytes(), 0o644, 0);
        for directory in ["home/runner/", "home/runner/_work/", "home/runner/externals/"] {
            tar.add(directory, b"", 0o755, RUNNER);
        }
        tar.add("home/runner/run.sh", &self.program, 0o755, RUNNER);
        if !self.environment.is_empty() {
            let text = self.environment.join("\n");
            tar.add("home/runner/.env", text.as_bytes(), 0o644, RUNNER);
        }
        tar.finish()
    }

    /// A whole image named `tag`, for `docker load`: user, directory, command and variables are set.
    #[must_use]
    pub fn archive(&self, tag: &str) -> Vec<u8> {
        let layer = Self { program: self.program.clone(), environment: Vec::new() }.files();
        let mut environment =
            vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_string()];
        environment.extend(self.environment.iter().cloned());
        let config = json!({
            "architecture": std::env::consts::ARCH.replace("x86_64", "amd64").replace("aarch64", "arm64"),
            "os": "linux",
            "config": {
                "User": RUNNER.to_string(),
                "WorkingDir": "/home/runner",
                "Cmd": ["/home/runner/run.sh"],
                "Env": environment
            },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))] }
        })
        .to_string();
        let name = format!("{}.json", sha256(config.as_bytes()));
        let tag = if tag.contains(':') { tag.to_string() } else { format!("{tag}:latest") };
        let manifest = json!([{ "Config": name, "RepoTags": [tag], "Layers": ["layer.tar"] }]).to_string();
        let mut tar = Tar::default();
        tar.add(&name, config.as_bytes(), 0o644, 0);
        tar.add("layer.tar", &layer, 0o644, 0);
        tar.add("manifest.json", manifest.as_bytes(), 0o644, 0);
        tar.finish()
    }
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// A tar archive in the making.
#[derive(Debug, Default)]
struct Tar(Vec<u8>);

impl Tar {
    /// Adds a file, or a directory if the name ends in `/`.
    fn add(&mut self, name: &str, content: &[u8], mode: u64, owner: u64) {
        let mut head = [0_u8; BLOCK];
        let mut put = |at: usize, text: &[u8]| head[at..at + text.len()].copy_from_slice(text);
        put(0, name.as_bytes());
        put(100, format!("{mode:07o}").as_bytes());
        put(108, format!("{owner:07o}").as_bytes());
        put(116, format!("{owner:07o}").as_bytes());
        put(124, format!("{:011o}", content.len()).as_bytes());
        put(136, format!("{:011o}", 0).as_bytes());
        put(148, b"        ");
        put(156, if name.ends_with('/') { b"5" } else { b"0" });
        put(257, b"ustar\x0000");
        let sum: u64 = head.iter().map(|b| u64::from(*b)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&head);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tar_is_whole_blocks_with_right_sums() {
        let image = Image { program: vec![1; 700], environment: vec!["A=b".into()] };
        let tar = image.files();
        assert_eq!(tar.len() % BLOCK, 0);
        let sum = std::str::from_utf8(&tar[148..154]).unwrap();
        let mut head = tar[..BLOCK].to_vec();
        head[148..156].fill(b' ');
        let counted: u64 = head.iter().map(|b| u64::from(*b)).sum();
        assert_eq!(u64::from_str_radix(sum, 8).unwrap(), counted);
    }
}
