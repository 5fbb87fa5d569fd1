//! The paths of the API and of the control requests.

use actix_web::{
    Resource, Route, guard,
    web::{self, PayloadConfig, ServiceConfig, delete, post},
};

use super::{
    addresses, bundles, control, definitions, emails, endpoints,
    error::{ApiError, ApiResult},
    evaluations, inquiries, kafka, list,
    multipart::MAX_UPLOAD_BYTES,
    objects, primary_profiles, profile_list, profiles, provisional_copies, regulations, review_rules, signing,
};

/// Registers what profiles consist of and are evaluated by. Their paths also match that of a list of profiles, so they
/// must be registered first.
pub(super) fn profile_parts(config: &mut ServiceConfig) {
    config
        .service(resource("/v1/Policies").route(get().to(definitions::list_policies)))
        .service(resource("/v1/Policies/{sid}").route(get().to(definitions::fetch_policy)))
        .configure(|config| end_users_and_documents(config, "/v1"))
        .configure(addresses_and_inquiries);
}

/// Registers end users and documents with their types. The API for numbers has the same requests as Trust Hub, under
/// another path.
fn end_users_and_documents(config: &mut ServiceConfig, api: &str) {
    let resource = |path: &str| resource(&format!("{api}{path}"));
    config
        .service(resource("/EndUserTypes").route(get().to(definitions::list_end_user_types)))
        .service(resource("/EndUserTypes/{sid}").route(get().to(definitions::fetch_end_user_type)))
        .service(resource("/SupportingDocumentTypes").route(get().to(definitions::list_document_types)))
        .service(resource("/SupportingDocumentTypes/{sid}").route(get().to(definitions::fetch_document_type)))
        .service(
            resource("/EndUsers").route(get().to(objects::list_end_users)).route(post().to(objects::create_end_user)),
        )
        .service(
            resource("/EndUsers/{sid}")
                .route(get().to(objects::fetch_end_user))
                .route(post().to(objects::update_end_user))
                .route(delete().to(objects::delete_end_user)),
        )
        .service(
            resource("/SupportingDocuments")
                .app_data(PayloadConfig::new(MAX_UPLOAD_BYTES))
                .route(get().to(objects::list_documents))
                .route(post().to(objects::create_document)),
        )
        .service(
            resource("/SupportingDocuments/{sid}")
                .route(get().to(objects::fetch_document))
                .route(post().to(objects::update_document))
                .route(delete().to(objects::delete_document)),
        );
}

fn addresses_and_inquiries(config: &mut ServiceConfig) {
    let accounts = |path: &str| resource(&format!("/2010-04-01/Accounts/{{account}}{path}"));
    let inquiries = |path: &str| resource(&format!("/v1/ComplianceInquiries{path}/Initialize"));
    config
        .service(accounts("/Addresses.json").route(get().to(addresses::list)).route(post().to(addresses::create)))
        .service(
            accounts("/Addresses/{sid}.json")
                .route(get().to(addresses::fetch))
                .route(post().to(addresses::update))
                .route(delete().to(addresses::delete)),
        )
        .service(inquiries("/Customers").route(post().to(inquiries::create_customer)))
        .service(inquiries("/Customers/{sid}").route(post().to(inquiries::resume_customer)))
        .service(inquiries("/Tollfree").route(post().to(inquiries::create_toll_free)))
        .service(inquiries("/Registration/RegulatoryCompliance/GB").route(post().to(inquiries::create_registration)))
        .service(
            inquiries("/Registration/{sid}/RegulatoryCompliance/GB").route(post().to(inquiries::resume_registration)),
        );
}

/// Registers regulations and bundles of the API for numbers, with their parts.
pub(super) fn bundles(config: &mut ServiceConfig) {
    let regulatory = |path: &str| resource(&format!("/v2/RegulatoryCompliance{path}"));
    config
        .service(regulatory("/Regulations").route(get().to(regulations::list)))
        .service(regulatory("/Regulations/{sid}").route(get().to(regulations::fetch)))
        .service(regulatory("/Bundles").route(get().to(bundles::list)).route(post().to(bundles::create)))
        .service(
            regulatory("/Bundles/{sid}/Copies")
                .route(get().to(bundles::list_copies))
                .route(post().to(bundles::create_copy)),
        )
        .service(regulatory("/Bundles/{sid}/ReplaceItems").route(post().to(bundles::replace_items)))
        .service(
            regulatory("/Bundles/{sid}")
                .route(get().to(profiles::fetch))
                .route(post().to(profiles::update))
                .route(delete().to(profiles::delete)),
        )
        .service(
            regulatory("/Bundles/{sid}/ItemAssignments")
                .route(get().to(profiles::list_assignments))
                .route(post().to(profiles::assign)),
        )
        .service(
            regulatory("/Bundles/{sid}/ItemAssignments/{assignment}")
                .route(get().to(profiles::fetch_assignment))
                .route(delete().to(profiles::unassign)),
        )
        .service(
            regulatory("/Bundles/{sid}/Evaluations")
                .route(get().to(evaluations::list))
                .route(post().to(evaluations::create)),
        )
        .service(regulatory("/Bundles/{sid}/Evaluations/{evaluation}").route(get().to(evaluations::fetch)))
        .configure(|config| end_users_and_documents(config, "/v2/RegulatoryCompliance"));
}

/// Registers profiles with their assignments and evaluations.
pub(super) fn profiles(config: &mut ServiceConfig) {
    let profiles = |path: &str| resource(&format!("/v1/{{kind}}{path}"));
    config
        .service(profiles("").route(get().to(list::profiles)).route(post().to(profiles::create)))
        .service(
            profiles("/{sid}")
                .route(get().to(profiles::fetch))
                .route(post().to(profiles::update))
                .route(delete().to(profiles::delete)),
        )
        .service(
            profiles("/{sid}/EntityAssignments")
                .route(get().to(profiles::list_assignments))
                .route(post().to(profiles::assign)),
        )
        .service(
            profiles("/{sid}/EntityAssignments/{assignment}")
                .route(get().to(profiles::fetch_assignment))
                .route(delete().to(profiles::unassign)),
        )
        .service(
            profiles("/{sid}/Evaluations").route(get().to(evaluations::list)).route(post().to(evaluations::create)),
        )
        .service(profiles("/{sid}/Evaluations/{evaluation}").route(get().to(evaluations::fetch)))
        .service(
            profiles("/{sid}/ChannelEndpointAssignments")
                .route(get().to(endpoints::list))
                .route(post().to(endpoints::assign)),
        )
        .service(
            profiles("/{sid}/ChannelEndpointAssignments/{assignment}")
                .route(get().to(endpoints::fetch))
                .route(delete().to(endpoints::unassign)),
        )
        .service(
            profiles("/{sid}/ProvisionalCopy")
                .route(get().to(provisional_copies::fetch))
                .route(post().to(provisional_copies::create)),
        );
}

/// Registers the control requests.
pub(super) fn control(config: &mut ServiceConfig) {
    config
        .service(resource("/simulator/profiles").route(get().to(profile_list::list)).route(post().to(control::seed)))
        .service(resource("/simulator/primary-profiles").route(post().to(primary_profiles::create)))
        .service(resource("/simulator/profiles/{sid}/submit").route(post().to(primary_profiles::submit)))
        .service(resource("/simulator/profiles/{sid}/approve").route(post().to(control::approve)))
        .service(
            resource("/simulator/profiles/{sid}/approve-provisionally")
                .route(post().to(control::approve_provisionally)),
        )
        .service(resource("/simulator/profiles/{sid}/reject").route(post().to(control::reject)))
        .service(resource("/simulator/profiles/{sid}/expire").route(post().to(control::expire)))
        .service(resource("/simulator/settings").route(get().to(control::settings)).route(post().to(control::set)))
        .service(
            resource("/simulator/rules")
                .route(get().to(review_rules::list))
                .route(post().to(review_rules::add))
                .route(delete().to(review_rules::remove)),
        )
        .service(resource("/simulator/shared_keys").route(post().to(signing::add_shared_key)))
        .service(
            resource("/simulator/signers").route(get().to(signing::signers)).route(post().to(signing::set_signers)),
        )
        .service(resource("/simulator/emails").route(get().to(emails::list)).route(delete().to(emails::clear)))
        .service(resource("/simulator/emails/{id}").route(get().to(emails::fetch)))
        .service(resource("/simulator/kafka").route(get().to(kafka::state)))
        .service(resource("/simulator/kafka/down").route(post().to(kafka::stop)))
        .service(resource("/simulator/kafka/up").route(post().to(kafka::start)))
        .service(resource("/simulator/callbacks").route(get().to(control::callbacks)));
}

/// Matches `GET` and also `HEAD`, whose answer is the same without the body.
pub(super) fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

pub(super) fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(method_not_allowed))
}

async fn method_not_allowed() -> ApiResult {
    Err(ApiError::method_not_allowed())
}
