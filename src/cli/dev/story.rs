//! `dev --once` on a terminal: what happens to a profile, step by step, with what the bridge makes of it. Each step fails if
//! something else happens.

use std::{
    env,
    time::{Duration, Instant},
};

use tokio::{sync::broadcast, time::sleep};
use trusthub_simulator::{Attempt, AttemptOutcome, CallbackFailure};

use super::{
    super::{activity::clock, output::Failure, text::escaped},
    environment::{DevEnvironment, EVENTS, PROFILES, in_time, next_of},
    page::{Page, Tone},
    reconciliation,
    scenario::{self, APPROVED, CORRECTED, REJECTED, SUBMITTED, ScenarioStep},
};
use crate::{
    domain::{Label as _, ProfileSid, Status, state::ProfileState},
    kafka::{ConsumedRecord, TopicTail},
    telemetry::LoggedRequest,
};

/// The values of `origin` in an event.
const CALLBACK: &str = "callback";
const RECONCILIATION: &str = "reconciliation";

/// The pause between two looks at the spool.
const POLL: Duration = Duration::from_millis(20);

/// The profile and what was seen of it.
pub(super) struct Story<'e> {
    environment: &'e DevEnvironment,
    page: Page,
    profile: ProfileSid,
    attempts: broadcast::Receiver<Attempt>,
    requests: broadcast::Receiver<LoggedRequest>,
    /// The ids of the events so far.
    events: Vec<String>,
    began: Instant,
}

impl<'e> Story<'e> {
    /// Creates the profile.
    pub(super) fn new(environment: &'e DevEnvironment, page: Page) -> Result<Self, Failure> {
        let DevEnvironment { simulator, account, urls, .. } = environment;
        let profile = scenario::create_profile(simulator, *account, urls.callbacks.clone());
        Ok(Self {
            environment,
            page,
            profile: profile.map_err(Failure::failed)?,
            attempts: simulator.sender().subscribe(),
            requests: environment.subscribe_to_requests(),
            events: Vec::new(),
            began: Instant::now(),
        })
    }

    /// Runs and prints all steps.
    pub(super) async fn tell(mut self) -> Result<(), Failure> {
        self.introduce()?;
        self.submit().await?;
        self.reject().await?;
        self.forge().await?;
        self.spool().await?;
        self.drain().await?;
        self.reconcile().await?;
        self.show_state().await?;
        self.conclude()
    }

    fn introduce(&self) -> Result<(), Failure> {
        self.page.text(&format!(
            "Twilio reviews the profile of a business, and announces each change of its status with one signed HTTP \
             request, a callback. trusthub-bridge verifies the callback, publishes an event on Kafka, and then answers \
             204. Here, Twilio is a simulator, and Kafka runs in this process.\n\n\
             Consumers find each event in the topic {EVENTS}, at a partition and an offset. Its key is the profile, {}.",
            self.profile
        ))
    }

    async fn submit(&mut self) -> Result<(), Failure> {
        self.page.step("The profile is submitted for review.")?;
        self.page.columns()?;
        self.run_and_publish(&SUBMITTED).await
    }

    async fn reject(&mut self) -> Result<(), Failure> {
        self.page.step("A reviewer of Twilio rejects it. The event has the reasons.")?;
        self.run_and_publish(&REJECTED).await
    }

    /// Runs a step whose callbacks are published at once.
    async fn run_and_publish(&mut self, step: &ScenarioStep) -> Result<(), Failure> {
        step.run(&self.environment.simulator, &self.profile).map_err(Failure::failed)?;
        for status in step.announced {
            let answer = self.next_answer(204).await?;
            // A slow machine may need the spool; the event arrives anyway.
            self.next_request().await?;
            let event = self.next_event(*status, CALLBACK).await?;
            self.page.row(*status, (Tone::Good, &answer), &position(&event))?;
            for reason in reasons(&event) {
                self.page.note(&format!("  {reason}"))?;
            }
        }
        Ok(())
    }

    async fn forge(&mut self) -> Result<(), Failure> {
        self.page.step("An attacker sends a callback that says that the profile is approved.")?;
        let DevEnvironment { simulator, account, urls, .. } = self.environment;
        scenario::send_forged_callback(simulator, *account, self.profile, urls.callbacks.clone());
        let answer = self.next_answer(403).await?;
        let request = self.expect_outcome("rejected").await?;
        let reason = request.reason.unwrap_or_default();
        self.page.row(Status::TwilioApproved, (Tone::Bad, &answer), &format!("none: {reason}"))?;
        let diagnosis = request.diagnosis.map_or_else(
            || {
                "no key of the account signs this callback, whether with another URL, port, path or body. So it is not a \
                 mistake in the configuration."
                    .to_owned()
            },
            |diagnosis| escaped(&diagnosis),
        );
        self.page.note(&format!("Diagnosis: {diagnosis}"))
    }

    async fn spool(&mut self) -> Result<(), Failure> {
        self.page.step("Kafka is stopped. The profile is corrected and submitted again.")?;
        self.set_kafka_up(false).await?;
        CORRECTED.run(&self.environment.simulator, &self.profile).map_err(Failure::failed)?;
        for (count, status) in (1..).zip(CORRECTED.announced) {
            let answer = self.next_answer(204).await?;
            self.expect_outcome("spooled").await?;
            // The next callback may be in the spool already.
            let spooled = self.environment.service.spooled();
            if spooled < count {
                return Err(unexpected(&format!("{} in the spool", records(count)), &spooled));
            }
            let waiting = format!("waits in the spool: {}", records(count));
            self.page.row(*status, (Tone::Waiting, &answer), &waiting)?;
        }
        self.page.note("The spool is a queue on disk. Twilio has its answer, and will not send these callbacks again.")
    }

    async fn drain(&mut self) -> Result<(), Failure> {
        self.page.step("Kafka is started again. The bridge publishes what is in the spool.")?;
        let restarted = Instant::now();
        self.set_kafka_up(true).await?;
        for status in CORRECTED.announced {
            let event = self.next_event(*status, CALLBACK).await?;
            self.page.row(*status, (Tone::Good, "from the spool"), &position(&event))?;
        }
        let drained = async {
            while self.environment.service.spooled() > 0 {
                sleep(POLL).await;
            }
        };
        in_time("end of the spool", drained).await?;
        self.page
            .note(&format!("The spool is empty {:.1} s after the start of Kafka.", restarted.elapsed().as_secs_f64()))
    }

    async fn set_kafka_up(&self, is_up: bool) -> Result<(), Failure> {
        self.environment.kafka.control().set_up(is_up).await.map_err(Failure::failed)
    }

    async fn reconcile(&mut self) -> Result<(), Failure> {
        self.page.step("Twilio approves the profile, but the callback is lost.")?;
        let simulator = &self.environment.simulator;
        APPROVED.run_unannounced(simulator, &self.profile).map_err(Failure::failed)?;
        let attempt = self.next_attempt().await?;
        if attempt.outcome != AttemptOutcome::Failure(CallbackFailure::Dropped) {
            return Err(unexpected("a lost callback", &attempt));
        }
        self.page.row(Status::TwilioApproved, (Tone::Bad, "never arrived"), "none")?;
        self.page.note("Reconciliation asks Trust Hub for all profiles, and publishes what Kafka lacks:")?;
        let summary = in_time("result of reconciliation", reconciliation::run(self.environment)).await??;
        if summary.missed != 1 || summary.failed != 0 {
            return Err(unexpected("one missed change", &summary));
        }
        let event = self.next_event(Status::TwilioApproved, RECONCILIATION).await?;
        self.page.row(Status::TwilioApproved, (Tone::Good, "reconciliation"), &position(&event))
    }

    async fn show_state(&mut self) -> Result<(), Failure> {
        self.page.step(&format!("The topic {PROFILES} has the present state of each profile."))?;
        let state = in_time("state of the profile", self.read_state()).await??;
        let since = clock(&state.since.to_string());
        let name = state.profile.as_ref().and_then(|details| details.friendly_name.as_deref());
        if let Some(name) = name {
            self.page.field("name", &escaped(name))?;
        }
        let status = self.page.painted(Tone::Good, state.status.as_str());
        self.page.field("status", &format!("{status} since {since}"))?;
        self.page.field("changes", &format!("{}, rejections: {}", state.changes, state.rejections))?;
        let history: Vec<_> = state.history.iter().map(|change| change.status.as_str()).collect();
        self.page.field("history", &history.join(", "))
    }

    /// Reads the states until one has the last event.
    async fn read_state(&self) -> Result<ProfileState, Failure> {
        let tail = TopicTail::open(&self.environment.reconcile.kafka, &[PROFILES]).await.map_err(Failure::failed)?;
        let state = loop {
            let record = next_of(&tail).await;
            if let Ok(state) = serde_json::from_value::<ProfileState>(record.value)
                && self.events.last() == Some(&state.last_event_id)
            {
                break state;
            }
        };
        tail.close().await;
        Ok(state)
    }

    fn conclude(&self) -> Result<(), Failure> {
        let events = self.events.len();
        self.page.heading("Result")?;
        self.page.note(&format!(
            "{events} changes of the profile became {events} events, in their order, although Kafka was stopped and a callback \
             was lost. The forged callback changed nothing. All of it took {} s.",
            self.began.elapsed().as_secs()
        ))?;
        self.page.heading("Try next")?;
        let program = env::args().next().unwrap_or_else(|| "trusthub-bridge".to_owned());
        let program = escaped(&program);
        self.page.command(&format!("{program} dev"), "keep all of this running")?;
        self.page.command(&format!("{program} dev --once | cat"), "print the events as JSON")?;
        self.page.command(&format!("{program} --help"), "all commands")
    }

    async fn next_attempt(&mut self) -> Result<Attempt, Failure> {
        in_time("answer", self.attempts.recv()).await?.map_err(Failure::failed)
    }

    /// Waits for the answer to the next callback, and formats it.
    async fn next_answer(&mut self, code: u16) -> Result<String, Failure> {
        let attempt = self.next_attempt().await?;
        match attempt.outcome {
            AttemptOutcome::Answer(answer) if answer == code => Ok(format!("{code} in {} ms", attempt.milliseconds)),
            _ => Err(unexpected(&format!("the answer {code}"), &attempt)),
        }
    }

    /// Waits for what the bridge says about the next callback.
    async fn next_request(&mut self) -> Result<LoggedRequest, Failure> {
        in_time("outcome", self.requests.recv()).await?.map_err(Failure::failed)
    }

    /// The same, and checks its outcome.
    async fn expect_outcome(&mut self, outcome: &str) -> Result<LoggedRequest, Failure> {
        let request = self.next_request().await?;
        if request.outcome == outcome {
            Ok(request)
        } else {
            Err(unexpected(&format!("the outcome {outcome}"), &request))
        }
    }

    /// Waits for the next event about the status that is no repeat.
    async fn next_event(&mut self, status: Status, origin: &str) -> Result<ConsumedRecord, Failure> {
        loop {
            let (id, event) = self.environment.next_new_record(&self.events).await?;
            let is_of = |name: &str, value: &str| event.value.get(name).is_some_and(|found| found == value);
            // Reconciliation also publishes what Trust Hub says beside the status.
            if event.value.get("status").is_none() {
                continue;
            }
            if !is_of("status", status.as_str()) || !is_of("origin", origin) {
                return Err(unexpected(&format!("an event with the status {status}"), &event));
            }
            self.events.push(id);
            return Ok(event);
        }
    }
}

fn unexpected(expected: &str, found: &impl std::fmt::Debug) -> Failure {
    Failure::failed(format!("expected {expected}, but found {found:?}"))
}

fn position(event: &ConsumedRecord) -> String {
    format!("partition {}, offset {}", event.partition, event.offset)
}

fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// The codes of a rejection with their meanings.
fn reasons(event: &ConsumedRecord) -> impl Iterator<Item = String> {
    let errors = event.value.get("errors").and_then(|errors| errors.as_array()).into_iter().flatten();
    errors.filter_map(|error| Some(format!("{} {}", error.get("code")?, error.get("meaning")?.as_str()?)))
}
