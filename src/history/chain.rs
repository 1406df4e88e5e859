//! The chain of the audit trail: each entry's digest covers its words and the digest of the one before.

use sha2::Digest;
use sha2::Sha256;

use crate::model::history::AuditEntry;
use crate::model::history::AuditHead;
use crate::model::history::AuditRecord;

/// What stands before the first entry.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The digest of an entry that follows `before`.
pub(super) fn link(before: &str, instance: &str, seq: u64, entry: &AuditEntry) -> String {
    let mut digest = Sha256::new();
    let AuditEntry { at, who, kind, subject, text, outcome } = entry;
    let (seq, at) = (seq.to_string(), at.0.to_string());
    for part in [before, instance, &seq, &at, who, kind, subject, text, outcome] {
        // With its length, so that no word can move from one field into the next.
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A walk along the chain, entry by entry.
#[derive(Debug)]
pub(super) struct Walk {
    instance: String,
    /// Where the next entry must link on.
    pub(super) at: AuditHead,
    pub(super) entries: u64,
    /// A head that was kept beside, until the walk has met it.
    kept: Option<AuditHead>,
}

impl Walk {
    /// Begins behind `anchor`, the last entry that went with its time; `kept` is the head that was kept beside.
    pub(super) fn new(instance: &str, anchor: AuditHead, kept: Option<AuditHead>) -> Self {
        let kept = kept.filter(|kept| kept.seq > anchor.seq);
        Self { instance: instance.to_owned(), at: anchor, entries: 0, kept }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// It does not follow from what stands before it; says where and how.
    pub(super) fn step(&mut self, record: &AuditRecord) -> Result<(), String> {
        let (seq, due) = (record.seq, self.at.seq + 1);
        if seq != due {
            return Err(format!("after entry {} comes entry {seq}: {due} is missing", due - 1));
        }
        if record.hash != link(&self.at.hash, &self.instance, seq, &record.entry) {
            return Err(format!(
                "entry {seq} ({}) does not follow from entry {}: one of the two was changed",
                record.entry.at,
                seq - 1
            ));
        }
        self.at = AuditHead { seq, hash: record.hash.clone() };
        self.entries += 1;
        match self.kept.take_if(|kept| kept.seq == seq) {
            Some(kept) if kept.hash != record.hash => {
                Err(format!("entry {seq} is another one than was noted beside the database"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the end is where it should be; `head` is what the database itself says.
    ///
    /// # Errors
    /// The end was cut off; says what is missing.
    pub(super) fn end(&self, head: &AuditHead) -> Result<(), String> {
        if let Some(kept) = &self.kept {
            return Err(format!(
                "the trail ends with entry {}, and entry {} was written: the end was cut off",
                self.at.seq, kept.seq
            ));
        }
        if *head != self.at {
            return Err(format!(
                "the trail ends with entry {}, and the database says {}: the end was changed",
                self.at.seq, head.seq
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    fn entry(n: u64) -> AuditEntry {
        AuditEntry {
            at: Time::from_secs(n),
            who: "daemon".into(),
            kind: "action".into(),
            subject: "build".into(),
            text: format!("create {n}"),
            outcome: "done".into(),
        }
    }

    fn none() -> AuditHead {
        AuditHead { seq: 0, hash: GENESIS.into() }
    }

    fn trail(count: u64) -> Vec<AuditRecord> {
        let mut before = GENESIS.to_owned();
        (1..=count)
            .map(|seq| {
                before = link(&before, "abc", seq, &entry(seq));
                AuditRecord { seq, entry: entry(seq), hash: before.clone() }
            })
            .collect()
    }

    fn head(trail: &[AuditRecord]) -> AuditHead {
        let last = trail.last().unwrap();
        AuditHead { seq: last.seq, hash: last.hash.clone() }
    }

    fn verdict(trail: &[AuditRecord], kept: Option<AuditHead>, told: AuditHead) -> Result<(), String> {
        let mut walk = Walk::new("abc", none(), kept);
        trail.iter().try_for_each(|record| walk.step(record))?;
        walk.end(&told)
    }

    #[test]
    fn a_whole_trail_is_good_also_where_the_head_beside_is_older() {
        let all = trail(5);
        assert_eq!(verdict(&all, Some(head(&all)), head(&all)), Ok(()));
        assert_eq!(verdict(&all, Some(head(&all[..3])), head(&all)), Ok(()));
    }

    #[test]
    fn every_change_of_every_field_is_noticed_and_its_place_told() {
        type Change = fn(&mut AuditRecord);
        let changes: [Change; 6] = [
            |r| r.entry.at = Time(1),
            |r| r.entry.who.push('x'),
            |r| r.entry.kind.push('x'),
            |r| r.entry.subject.push('x'),
            |r| r.entry.text.clear(),
            |r| r.entry.outcome = "failed".into(),
        ];
        for change in changes {
            let mut all = trail(5);
            change(&mut all[2]);
            let told = verdict(&all, None, head(&trail(5))).unwrap_err();
            assert!(told.starts_with("entry 3 "), "{told}");
        }
        // A word that moves to the next field keeps the text of both together.
        let mut moved = entry(1);
        (moved.who, moved.kind) = ("daemona".into(), "ction".into());
        assert_ne!(link(GENESIS, "abc", 1, &moved), link(GENESIS, "abc", 1, &entry(1)));
        assert_ne!(link(GENESIS, "abd", 1, &entry(1)), link(GENESIS, "abc", 1, &entry(1)));
    }

    #[test]
    fn what_is_missing_is_noticed_in_the_middle_and_at_the_end() {
        let all = trail(5);
        let mut holed = all.clone();
        holed.remove(2);
        assert!(verdict(&holed, None, head(&all)).unwrap_err().contains("3 is missing"));
        let cut = &all[..3];
        assert!(verdict(cut, Some(head(&all)), head(cut)).unwrap_err().contains("the end was cut off"));
        assert!(verdict(cut, None, head(&all)).unwrap_err().contains("the end was changed"));
    }

    #[test]
    fn a_trail_made_anew_from_some_place_on_is_told_by_the_head_beside() {
        let all = trail(5);
        let mut forged = all.clone();
        forged[3].entry.text = "nothing happened".into();
        for at in 3..5 {
            forged[at].hash = link(&forged[at - 1].hash, "abc", forged[at].seq, &forged[at].entry);
        }
        assert_eq!(verdict(&forged, None, head(&forged)), Ok(()), "the database alone cannot tell");
        let told = verdict(&forged, Some(head(&all)), head(&forged)).unwrap_err();
        assert!(told.contains("entry 5 is another one"), "{told}");
    }
}
