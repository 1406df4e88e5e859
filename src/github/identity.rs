//! A credential's secret in memory: read when needed, read anew when it may have changed.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::jwt::AppKey;
use super::spec::Auth;
use crate::model::Secret;

/// A secret that was read and is in form.
pub(super) struct Loaded {
    pub(super) secret: Secret,
    /// The key in it, where it is an App's.
    pub(super) app: Option<App>,
    /// Tells this token from earlier ones.
    pub(super) generation: u64,
}

/// A GitHub App that can sign.
pub(super) struct App {
    pub(super) id: String,
    pub(super) installation_id: Option<u64>,
    pub(super) key: AppKey,
}

/// Where the secret comes from and what was last read.
pub(super) struct Identity {
    kept: Mutex<Kept>,
    generations: AtomicU64,
}

struct Kept {
    auth: Auth,
    loaded: Option<Arc<Loaded>>,
    stale: bool,
}

impl Identity {
    pub(super) fn new(auth: Auth) -> Self {
        Self { kept: Mutex::new(Kept { auth, loaded: None, stale: false }), generations: AtomicU64::new(0) }
    }

    /// A number that no token had before.
    pub(super) fn generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed)
    }

    /// Reads from elsewhere from now on; what was read stays if it turns out to be the same.
    pub(super) fn adopt(&self, auth: Auth) {
        let mut kept = self.kept();
        kept.auth = auth;
        kept.stale = true;
    }

    /// The secret, and whether it is another one than before.
    pub(super) fn get(&self) -> Result<(Arc<Loaded>, bool), String> {
        let mut kept = self.kept();
        match &kept.loaded {
            Some(loaded) if !kept.stale => Ok((loaded.clone(), false)),
            _ => self.read(&mut kept),
        }
    }

    /// Reads the secret anew; whether it is another one than before.
    pub(super) fn reread(&self) -> Result<bool, String> {
        self.read(&mut self.kept()).map(|(_, changed)| changed)
    }

    fn read(&self, kept: &mut Kept) -> Result<(Arc<Loaded>, bool), String> {
        let secret = (kept.auth.loader())()?;
        if let Some(loaded) = kept.loaded.clone().filter(|loaded| loaded.secret == secret) {
            kept.stale = false;
            return Ok((loaded, false));
        }
        let app = check(&kept.auth, &secret)?;
        let loaded = Arc::new(Loaded { secret, app, generation: self.generation() });
        let changed = kept.loaded.replace(loaded.clone()).is_some();
        kept.stale = false;
        Ok((loaded, changed))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the secret has the form that it must have.
fn check(auth: &Auth, secret: &Secret) -> Result<Option<App>, String> {
    match auth {
        Auth::Token(_) if secret.is_empty() => Err("the token is empty".to_owned()),
        Auth::Token(_) if !secret.reveal().bytes().all(|b| b.is_ascii_graphic()) => {
            Err("what was read is no token: it holds spaces, line ends or other characters that no token has"
                .to_owned())
        }
        Auth::Token(_) => Ok(None),
        Auth::App { id, installation_id, .. } => {
            let key = AppKey::parse(secret).map_err(|why| format!("the private key {why}"))?;
            Ok(Some(App { id: id.clone(), installation_id: *installation_id, key }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_once_and_again_when_asked() {
        let source = Arc::new(Mutex::new(Ok::<_, String>("one".to_owned())));
        let loader = {
            let source = source.clone();
            Arc::new(move || source.lock().unwrap().clone().map(Secret::new))
        };
        let identity = Identity::new(Auth::Token(loader.clone()));
        let (first, changed) = identity.get().unwrap();
        assert!(!changed);
        *source.lock().unwrap() = Ok("two".to_owned());
        assert_eq!(identity.get().unwrap().0.secret.reveal(), "one");
        assert!(identity.reread().unwrap());
        assert!(!identity.reread().unwrap());
        let (second, _) = identity.get().unwrap();
        assert_eq!(second.secret.reveal(), "two");
        assert_ne!(first.generation, second.generation);

        identity.adopt(Auth::Token(loader));
        assert_eq!(identity.get().unwrap().0.generation, second.generation);
        *source.lock().unwrap() = Err("the file is gone".to_owned());
        assert_eq!(identity.reread().unwrap_err(), "the file is gone");
    }

    #[test]
    fn what_is_no_token_is_refused_without_showing_it() {
        for bad in ["", "ghp_secret and more", "ghp_secret\nmore"] {
            let identity = Identity::new(Auth::Token(Arc::new(move || Ok(Secret::new(bad)))));
            let why = identity.get().err().unwrap();
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
