//! How a pool follows what waits.

use super::super::fields::EMPTY;
use super::super::fields::Fields;
use super::super::fields::SCHEDULE_DEFAULTS;
use super::super::schema::syntax::days;
use super::pool::priority;
use crate::model::OnLostJob;
use crate::model::PriorityRule;
use crate::model::Scaling;
use crate::model::Schedule;

pub(super) fn scaling(fields: &Fields<'_>) -> Option<Scaling> {
    Some(Scaling {
        up_threshold: fields.count("scale_up_threshold")?,
        up_factor: fields.number("scale_up_factor")?,
        down_threshold: fields.count("scale_down_threshold")?,
        schedule: schedules(fields).iter().map(schedule).collect::<Option<_>>()?,
        max_per_repository: fields.count("max_per_repository"),
        max_per_workflow: fields.count("max_per_workflow"),
        priority_rules: rules(fields).iter().map(rule).collect::<Option<_>>()?,
        on_lost_job: match fields.text("on_lost_job")? {
            "report" => OnLostJob::Report,
            "cancel" => OnLostJob::Cancel,
            _ => return None,
        },
    })
}

/// The tables `[[pools.NAME.schedule]]`.
pub(crate) fn schedules<'a>(fields: &Fields<'a>) -> Vec<Fields<'a>> {
    fields.tables("schedule", &SCHEDULE_DEFAULTS)
}

/// The tables `[[pools.NAME.priority_rule]]`.
pub(crate) fn rules<'a>(fields: &Fields<'a>) -> Vec<Fields<'a>> {
    fields.tables("priority_rule", &EMPTY)
}

fn schedule(fields: &Fields<'_>) -> Option<Schedule> {
    let mut all = [false; 7];
    for text in fields.strings("days") {
        let days = days(&text).ok()?;
        all.iter_mut().zip(days).for_each(|(day, on)| *day |= on);
    }
    Some(Schedule {
        days: all,
        hours: fields.text("hours")?.parse().ok()?,
        zone: fields.text("time_zone")?.parse().ok()?,
        min: fields.count("min"),
        min_idle: fields.count("min_idle"),
        max: fields.count("max"),
    })
}

fn rule(fields: &Fields<'_>) -> Option<PriorityRule> {
    let text = |key: &str| fields.text(key).map(str::to_owned);
    Some(PriorityRule {
        workflow: text("workflow"),
        branch: text("branch"),
        event: text("event"),
        label: text("label"),
        priority: priority(fields)?,
    })
}
