//! A profile, and what belongs to it.

use actix_web::{Error, HttpResponse, web::Bytes};

use super::{call::Call, error::ApiError, fields::Fields, list::short, render};
use crate::{
    domain::is_sid,
    simulator::model::{Draft, Edit},
};

type Answer = Result<HttpResponse, ApiError>;
type Body = Result<Bytes, Error>;

/// `POST /v1/CustomerProfiles`
pub(super) async fn create(call: Call, body: Body) -> Answer {
    let fields = Fields::of_body(body)?;
    let draft = Draft {
        kind: call.kind,
        account: call.account.clone(),
        friendly_name: fields.required("FriendlyName")?.to_owned(),
        email: fields.required("Email").and(fields.email())?.unwrap_or_default().to_owned(),
        policy: fields.required("PolicySid").and(fields.policy("PolicySid"))?.unwrap_or_default().to_owned(),
        status_callback: fields.status_callback()?.filter(|url| !url.is_empty()).map(str::to_owned),
    };
    let profile = call.world.hub().create(draft).map_err(|trouble| call.failed(&trouble))?;
    Ok(HttpResponse::Created().json(render::profile(&profile, &call.base())))
}

/// `GET /v1/CustomerProfiles/{Sid}`
pub(super) async fn fetch(call: Call) -> Answer {
    Ok(HttpResponse::Ok().json(render::profile(&call.profile()?, &call.base())))
}

/// `POST /v1/CustomerProfiles/{Sid}`
pub(super) async fn update(call: Call, body: Body) -> Answer {
    let sid = call.profile_sid()?;
    let fields = Fields::of_body(body)?;
    let name = fields.get("FriendlyName").map(|_| fields.required("FriendlyName")).transpose()?;
    let edit = Edit {
        friendly_name: name.map(str::to_owned),
        email: fields.email()?.map(str::to_owned),
        status_callback: fields.status_callback()?.map(str::to_owned),
        status: fields.wish()?,
    };
    let happened = call.act(|hub| hub.edit(&sid, edit))?;
    Ok(HttpResponse::Ok().json(render::profile(&happened.profile, &call.base())))
}

/// `DELETE /v1/CustomerProfiles/{Sid}`
pub(super) async fn delete(call: Call) -> Answer {
    let sid = call.profile_sid()?;
    call.world.hub().delete(&sid).map_err(|trouble| call.failed(&trouble))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /v1/CustomerProfiles/{Sid}/EntityAssignments`
pub(super) async fn list_assignments(call: Call) -> Answer {
    let (profile, base) = (call.profile()?, call.base());
    let newest_first = profile.assignments.iter().rev();
    short(&call, newest_first.map(|assignment| render::assignment(assignment, &profile, &base)).collect())
}

/// `POST /v1/CustomerProfiles/{Sid}/EntityAssignments`
pub(super) async fn assign(call: Call, body: Body) -> Answer {
    let profile = call.profile()?;
    let fields = Fields::of_body(body)?;
    let object = fields.required("ObjectSid")?;
    if !is_sid(object) {
        return Err(ApiError::invalid("ObjectSid: write two letters followed by 32 hexadecimal digits"));
    }
    let assignment = call.world.hub().assign(&profile.sid, object.to_owned());
    let assignment = assignment.map_err(|trouble| call.failed(&trouble))?;
    Ok(HttpResponse::Created().json(render::assignment(&assignment, &profile, &call.base())))
}

/// `GET /v1/CustomerProfiles/{Sid}/EntityAssignments/{Assignment}`
pub(super) async fn fetch_assignment(call: Call) -> Answer {
    let profile = call.profile()?;
    let assignment = profile.assignments.iter().find(|assignment| assignment.sid == call.part("assignment"));
    let assignment = assignment.ok_or_else(|| call.not_found())?;
    Ok(HttpResponse::Ok().json(render::assignment(assignment, &profile, &call.base())))
}

/// `DELETE /v1/CustomerProfiles/{Sid}/EntityAssignments/{Assignment}`
pub(super) async fn unassign(call: Call) -> Answer {
    let sid = call.profile_sid()?;
    let done = call.world.hub().unassign(&sid, call.part("assignment"));
    done.map_err(|trouble| call.failed(&trouble))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /v1/CustomerProfiles/{Sid}/Evaluations` and `…/ChannelEndpointAssignments`: there are none.
pub(super) async fn list_nothing(call: Call) -> Answer {
    call.profile()?;
    short(&call, Vec::new())
}
