// The Arabic of every stable code: what is wrong, then what to do. {0} stands for the column that the English message names.
// The codes come from the database; tests/sql/test_refusals.py fails for one without Arabic, and for one that has gone.

export const ARABIC: Record<string, readonly [message: string, hint: string]> = {
  // People, roles, organisations
  "herald:event-unknown": ["لا توجد فعالية كهذه في مؤسسة تديرها.", "اختر فعالية من مؤسستك، أو اسأل أحد مديريها."],
  "herald:organization-missing": ["السجل لا يحدد المؤسسة.", "ضع في organization_id المؤسسة التي يتبعها السجل."],
  "herald:organization-name": ["اسم المؤسسة فارغ أو أطول من 200 حرف.", "اكتب اسمًا من 1 إلى 200 حرف."],
  "herald:organization-not-named": ["لم تُحدَّد المؤسسة.", "ضع معرّف المؤسسة في p_organization."],
  "herald:organization-unknown": ["لا توجد مؤسسة كهذه.", "استخدم organization_id الموجود في ملفك الشخصي."],
  "herald:role-unknown": ["لا يوجد دور كهذا.", "استخدم owner أو admin أو member أو super_admin."],
  "herald:user-unknown": ["لا يوجد مستخدم كهذا.", "اختر شخصًا لديه حساب في النظام."],
  "herald:erasure-by-admin": [
    "حذف بيانات شخص متاح لمدير المؤسسة فقط.",
    "اطلب ذلك من مالك المؤسسة أو أحد مديريها.",
  ],
  "herald:opt-out-by-admin": [
    "لا يلغي طلب إيقاف الرسائل إلا مدير المؤسسة.",
    "يمسح المدير الحقل opted_out_at عندما يطلب الشخص ذلك.",
  ],

  // Any row
  "herald:value-missing": [
    "القيمة «{0}» ناقصة.",
    "أدخل قيمة لهذا الحقل في كل سجل، أو اتركه في كل السجلات ليأخذ قيمته الافتراضية.",
  ],
  "herald:id-taken": ["يوجد سجل بهذا المعرّف.", "اترك المعرّف فارغًا ليُنشأ معرّف جديد، أو عدّل ذلك السجل."],
  "herald:column-fixed": ["لا يمكن تغيير هذا الحقل بعد إنشاء السجل.", "أنشئ سجلًا جديدًا بدلًا من ذلك."],
  "herald:count-negative": ["لا يمكن أن يقل العدد عن 0.", "اترك هذا الحقل: يعدّه Herald بنفسه."],
  "herald:herald-writes-it": ["هذه القيمة يكتبها Herald ولا تتوافق مع بقية السجل.", "اترك هذا الحقل لـ Herald."],
  "herald:priority-out-of-range": ["الأولوية خارج المدى المسموح.", "اختر رقمًا من 1 إلى 10؛ الرقم 10 يُرسل أولًا."],
  "herald:attributes-no-object": ["الخصائص ليست كائن JSON.", 'اكتبها هكذا: {"city": "Lisbon"}.'],
  "herald:time-out-of-range": ["الوقت «{0}» لا يمكن حفظه.", "اختر وقتًا بين عامي 1900 و9999."],
  "herald:attributes-too-large": ["الخصائص كبيرة جدًا.", "اختصرها إلى 16,384 حرفًا إجمالًا."],
  "herald:variables-too-large": ["قيم القالب كبيرة جدًا.", "اختصرها إلى 65,536 حرفًا إجمالًا."],
  "herald:metadata-too-large": ["بيانات المهمة كبيرة جدًا.", "اختصرها إلى 16,384 حرفًا إجمالًا."],
  "herald:filter-too-large": ["مرشّح المستلمين كبير جدًا.", "اختصره إلى 16,384 حرفًا."],
  "herald:audience-too-large": ["الجمهور المحدد كبير جدًا.", "اختصر المرشّح إلى 65,536 حرفًا."],
  "herald:arguments-too-large": ["معطيات الطلب كبيرة جدًا.", "اختصرها إلى 32,768 حرفًا إجمالًا."],
  "herald:status-too-large": ["حالة الأتمتة للورشة كبيرة جدًا.", "اختصر ما يخصك منها إلى 65,536 حرفًا إجمالًا."],
  "herald:recipients-too-large": ["قائمة المستلمين كبيرة جدًا.", "اكتب قيمًا أقصر، أو قسّم القائمة على عدة طلبات."],
  "herald:variables-no-object": ["قيم القالب ليست كائن JSON.", 'اكتبها هكذا: {"name": "Asha"}.'],
  "herald:metadata-no-object": ["بيانات المهمة ليست كائن JSON.", 'اكتبها هكذا: {"note": "VIPs first"}.'],
  "herald:description-too-long": ["الوصف طويل جدًا.", "اختصر الوصف."],
  "herald:audit-append-only": ["لا تُعدَّل سجلات التدقيق ولا تُحذف.", "تُحذف تلقائيًا بعد انتهاء مدة الاحتفاظ."],

  // Phone numbers and WhatsApp ids
  "herald:phone-invalid": [
    "هذا ليس رقم هاتف مع رمز الدولة.",
    "اكتبه مثل +491701234567: علامة زائد ثم رمز الدولة ثم أرقام فقط.",
  ],
  "herald:phone-needed": ["يلزم رقم هاتف مع رمز الدولة.", "اكتبه مثل +491701234567."],
  "herald:group-jid-invalid": [
    "هذا ليس معرّف مجموعة في واتساب.",
    "ينتهي معرّف المجموعة بـ @g.us؛ خذه من whatsapp_groups.",
  ],
  "herald:jid-invalid": ["هذا ليس معرّف JID لشخص.", "معرّف JID أرقام تليها @s.whatsapp.net."],
  "herald:lid-invalid": ["هذا ليس معرّف LID لشخص.", "معرّف LID أرقام تليها @lid."],

  // Accounts
  "herald:account-unknown": ["لا يوجد حساب واتساب كهذا في المؤسسة.", "اختر أحد حسابات المؤسسة."],
  "herald:account-has-messages": [
    "لهذا الحساب رسائل فلا يمكن حذفه.",
    "سجّل خروجه وعطّله؛ تبقى رسائله متاحة للقراءة.",
  ],
  "herald:account-name-too-long": ["اسم الحساب طويل جدًا.", "اختصره إلى 200 حرف."],
  "herald:account-status-unknown": [
    "لا توجد حالة حساب كهذه.",
    "استخدم disconnected أو connecting أو qr_pending أو connected أو logged_out أو banned أو error.",
  ],
  "herald:account-user-exists": ["يستطيع هذا الشخص رؤية الحساب بالفعل.", "لا يلزم أي إجراء."],
  "herald:no-account": [
    "ليس للمؤسسة حساب واتساب يمكنه إرسال الرسالة.",
    "اربط حسابًا أولًا، أو حدّد حسابًا في session_id.",
  ],
  "herald:desired-state-unknown": [
    "لا يمكن طلب هذه الحالة للحساب.",
    "استخدم connected أو disconnected أو logged_out.",
  ],
  "herald:provider-unknown": ["لا يوجد مزوّد كهذا.", "استخدم web (هاتف مرتبط) أو cloud (واجهة Meta السحابية)."],
  "herald:daily-limit": ["الحد اليومي خارج المدى المسموح.", "اختر من 0 إلى 100,000 رسالة."],
  "herald:group-limit": ["حد المجموعة في الدقيقة خارج المدى المسموح.", "اختر من 0 إلى 100,000 رسالة."],
  "herald:gap-between-messages": [
    "المدة بين رسالتين خارج المدى المسموح.",
    "اختر من 0 إلى 600,000 جزء من ألف من الثانية (عشر دقائق).",
  ],
  "herald:warmup-days": ["مدة التهيئة خارج المدى المسموح.", "اختر من 1 إلى 90 يومًا."],
  "herald:cloud-number-taken": ["هذا الرقم السحابي مرتبط بحساب آخر.", "استخدم ذلك الحساب أو رقمًا آخر."],
  "herald:cloud-number-exists": ["لهذا الحساب رقم سحابي بالفعل.", "عدّل ذلك السجل."],
  "herald:cloud-not-linked": ["الرقم السحابي غير مرتبط بهاتف، فلا يوجد ما يُسجَّل خروجه.", "افصل الاتصال بدلًا من ذلك."],
  "herald:cloud-no-connection": ["ليس للرقم السحابي اتصال يمكن فتحه من جديد.", "راجع حالته بدلًا من ذلك."],
  "herald:business-account-id-invalid": ["معرّف حساب واتساب للأعمال ليس رقمًا.", "انسخه من مدير أعمال Meta."],
  "herald:phone-number-id-invalid": [
    "معرّف رقم الهاتف ليس رقمًا.",
    "انسخه من صفحة مطوري Meta؛ وهو ليس رقم الهاتف نفسه.",
  ],

  // Requests to accounts
  "herald:command-kind-unknown": [
    "لا يوجد طلب من هذا النوع إلى حساب.",
    "استخدم pairing_code أو refresh_groups أو create_group أو group_invite أو group_members أو update_group أو" +
    " sync_contacts أو logout أو reconnect.",
  ],
  "herald:command-arguments": ["معطيات الطلب غير صحيحة.", "صحّح المعطيات ثم أعد الطلب."],
  "herald:arguments-no-object": ["معطيات الطلب ليست كائن JSON.", 'اكتبها هكذا: {"group_jid": "123@g.us"}، أو {}.'],
  "herald:pairing-needs-phone": [
    "رمز الربط يُنشأ لرقم هاتف، ولا يوجد رقم.",
    'اكتب المعطيات هكذا: {"phone": "+491701234567"}.',
  ],
  "herald:too-many-requests": ["لهذا الحساب خمسون طلبًا في الانتظار.", "انتظر حتى تنتهي ثم أعد الطلب."],

  // Groups
  "herald:group-unknown": [
    "المجموعة ليست من مجموعات المؤسسة أو هذا الحساب.",
    "حدّث مجموعات الحساب ثم اختر من جديد.",
  ],
  "herald:group-exists": ["هذا الحساب يعرف المجموعة بالفعل.", "عدّل ذلك السجل."],
  "herald:group-has-messages": [
    "لهذه المجموعة رسائل فلا يمكن حذفها.",
    "اجعل is_active تساوي false؛ تبقى رسائلها متاحة للقراءة.",
  ],

  // Contacts
  "herald:contact-unknown": ["لا توجد جهة اتصال كهذه في المؤسسة.", "اختر إحدى جهات الاتصال، أو أضفها أولًا."],
  "herald:contact-exists": ["توجد جهة اتصال بهذا الرقم أو المعرّف.", "عدّل تلك الجهة بدلًا من ذلك."],
  "herald:contact-unreachable": ["ليس لجهة الاتصال رقم هاتف.", "أدخل phone (أو jid أو lid الذي يعرفه واتساب)."],
  "herald:contact-in-flight": ["توجد رسالة إلى هذه الجهة تُرسل الآن.", "احذف الجهة مرة أخرى بعد لحظات."],
  "herald:contact-name-too-long": ["اسم جهة الاتصال طويل جدًا.", "اختصره إلى 200 حرف."],
  "herald:engagement-out-of-range": ["درجة التفاعل خارج المدى المسموح.", "اختر رقمًا من 0 إلى 100."],
  "herald:opt-in-source-too-long": ["مصدر الموافقة طويل جدًا.", "اختصره إلى 200 حرف."],
  "herald:opt-out-source-too-long": ["مصدر طلب الإيقاف طويل جدًا.", "اختصره إلى 200 حرف."],
  "herald:persona-too-long": ["وصف الشخصية طويل جدًا.", "اختصره إلى 100 حرف."],
  "herald:conversation-unknown": ["لا توجد محادثة كهذه لهذا الحساب.", "اختر إحدى محادثات الحساب."],
  "herald:conversation-exists": ["لهذا الحساب هذه المحادثة بالفعل.", "عدّل ذلك السجل."],

  // Messages
  "herald:message-unknown": ["لا توجد رسالة كهذه في قائمة الإرسال.", "حدّث الرسائل ثم اختر من جديد."],
  "herald:message-empty": ["الرسالة فارغة.", "اكتب نصًا، أو اختر قالبًا، أو أضف ملفًا أو محتوى."],
  "herald:message-too-long": ["نص الرسالة طويل جدًا.", "اختصره إلى 65,536 حرفًا."],
  "herald:media-url-too-long": [
    "عنوان الملف طويل جدًا.",
    "اكتب عنوانًا حتى 4,096 حرفًا؛ ولعنوان data: حتى 1,048,576.",
  ],
  "herald:payload-too-large": ["محتوى الرسالة الخاص كبير جدًا.", "اختصره إلى 16,384 حرفًا إجمالًا."],
  "herald:mentions-invalid": [
    "إحدى الإشارات طويلة جدًا أو ليست في قائمة بسيطة.",
    "أشر إلى الأعضاء بمعرّفات مثل 491701234567@s.whatsapp.net.",
  ],
  "herald:template-components-too-large": ["مكونات القالب كبيرة جدًا.", "اختصرها إلى 65,536 حرفًا إجمالًا."],
  "herald:message-malformed": ["لا يمكن تكوين هذه الرسالة.", "صحّحها ثم أضفها من جديد."],
  "herald:message-type-length": ["نوع الرسالة فارغ أو طويل جدًا.", "استخدم من 1 إلى 60 حرفًا."],
  "herald:message-status-unknown": [
    "لا توجد حالة رسالة كهذه.",
    "استخدم pending أو cancelled؛ ويكتب Herald بقية الحالات.",
  ],
  "herald:message-step-unknown": [
    "لا يمكن نقل الرسالة إلى هذه الحالة.",
    "حدّث الرسالة: تغيّرت حالتها منذ أن رأيتها.",
  ],
  "herald:message-not-pending": [
    "لم يعد ممكنًا تعديل هذه الرسالة.",
    "تُعدَّل الرسائل المنتظرة فقط. جدوِل رسالة جديدة.",
  ],
  "herald:message-expired": ["تنتهي صلاحية الرسالة قبل إرسالها.", "اختر expires_at في المستقبل، أو اتركه فارغًا."],
  "herald:message-time-passed": [
    "فات وقت هذه الرسالة وستنتهي صلاحيتها فورًا.",
    "ضع في التعديل نفسه expires_at جديدًا في المستقبل، أو اتركه فارغًا.",
  ],
  "herald:expires-too-early": [
    "تنتهي صلاحية الرسالة قبل موعدها.",
    "اختر expires_at بعد scheduled_for، أو اتركه فارغًا.",
  ],
  "herald:message-redacted": ["حُذف نص هذه الرسالة فلا يمكن إرسالها من جديد.", "جدوِل رسالة جديدة."],
  "herald:message-of-other-account": ["الرسالة المذكورة ليست من هذا الحساب.", "اختر رسالة أرسلها هذا الحساب."],
  "herald:one-recipient": [
    "للرسالة مستلم واحد فقط.",
    "أدخل واحدًا من group_id وcontact_id وrecipient_phone واترك البقية.",
  ],
  "herald:recipient-suppressed": ["لا يجوز إرسال رسائل إلى هذا المستلم.", "لا يمكن إرسال هذه الرسالة من جديد."],
  "herald:recipient-name-too-long": ["اسم المستلم طويل جدًا.", "اختصره إلى 200 حرف."],
  "herald:recipients-count": ["عدد المستلمين خارج المدى المسموح.", "أعط من 1 إلى 500 مستلم، وقسّم القائمة الأطول."],
  "herald:queued-already": [
    "هذه الرسالة في قائمة الإرسال بالفعل.",
    "لا يلزم أي إجراء، أو استخدم مفتاحًا جديدًا لرسالة جديدة.",
  ],
  "herald:idempotency-key-length": ["مفتاح منع التكرار فارغ أو طويل جدًا.", "استخدم من 1 إلى 200 حرف."],
  "herald:max-retries": ["عدد المحاولات خارج المدى المسموح.", "اختر من 0 إلى 20."],
  "herald:media-incomplete": [
    "يلزم للملف عنوانه ونوعه معًا.",
    "أدخل media_url مع media_kind: image أو video أو document أو audio أو voice.",
  ],
  "herald:media-kind-unknown": ["لا يوجد نوع ملف كهذا.", "استخدم image أو video أو document أو audio أو voice."],
  "herald:media-url-not-https": ["عنوان الملف لا يبدأ بـ https://.", "أعط عنوانًا يبدأ بـ https://."],
  "herald:mentions-count": [
    "عدد الأعضاء المذكورين خارج المدى المسموح.",
    "اذكر من 1 إلى 1,024 عضوًا، أو اترك الحقل.",
  ],
  "herald:payload-kind-unknown": [
    "لا يوجد نوع محتوى كهذا.",
    "استخدم location أو contact أو poll أو reaction أو edit أو delete.",
  ],
  "herald:quoted-id-length": [
    "معرّف الرسالة المقتبسة فارغ أو طويل جدًا.",
    "استخدم معرّف واتساب لتلك الرسالة، من 1 إلى 200 حرف.",
  ],
  "herald:time-passed": ["وقت الإرسال في الماضي.", "اترك الوقت فارغًا للإرسال الآن."],

  // Templates
  "herald:template-unknown": ["لا يوجد قالب بهذا المعرّف للمؤسسة.", "اختر أحد قوالب المؤسسة أو قوالب النظام."],
  "herald:template-name-unknown": ["ليس للمؤسسة قالب فعّال بهذا الاسم.", "اختر أحد قوالب المؤسسة أو قوالب النظام."],
  "herald:template-inactive": ["لا يوجد قالب فعّال بهذا المعرّف للمؤسسة.", "اختر قالبًا وتأكد من أنه فعّال."],
  "herald:template-foreign": ["هذا القالب لمؤسسة أخرى.", "اختر أحد قوالب مؤسستك أو قوالب النظام."],
  "herald:template-exists": ["يوجد قالب بهذا الاسم وهذه اللغة.", "عدّل ذلك القالب، أو اختر اسمًا آخر."],
  "herald:template-value-missing": ["تنقص القالب قيمة.", "أعط القيمة في template_variables."],
  "herald:template-name-invalid": [
    "لا يمكن أن يكون هذا اسم قالب.",
    "استخدم حتى 100 من الحروف الإنجليزية الصغيرة والأرقام والشرطة السفلية، مثل payment_reminder.",
  ],
  "herald:template-name-length": ["اسم القالب فارغ أو طويل جدًا.", "اكتب اسم قالب من 1 إلى 200 حرف."],
  "herald:template-text-length": ["نص القالب فارغ أو طويل جدًا.", "اكتب من 1 إلى 4,096 حرفًا."],
  "herald:template-category-unknown": ["لا توجد فئة قوالب كهذه.", "استخدم MARKETING أو UTILITY أو AUTHENTICATION."],
  "herald:template-components-no-list": ["مكونات القالب ليست قائمة.", "اكتبها مصفوفة JSON كما تعرّفها Meta."],
  "herald:template-language-invalid": ["هذا ليس رمز لغة.", "اكتبه مثل en أو pt_BR."],

  // Campaigns
  "herald:campaign-unknown": ["لا توجد حملة كهذه في المؤسسة.", "اختر إحدى حملاتها، أو أنشئ حملة أولًا."],
  "herald:campaign-name": ["اسم الحملة فارغ أو أطول من 200 حرف.", "اكتب اسمًا من 1 إلى 200 حرف."],
  "herald:campaign-state-unknown": [
    "لا توجد حالة حملة كهذه.",
    "استخدم draft أو running أو paused أو done أو cancelled.",
  ],
  "herald:campaign-step-unknown": [
    "لا يمكن نقل الحملة إلى هذه الحالة.",
    "حدّث الحملة: تغيّرت حالتها. للإرسال من جديد انسخها.",
  ],
  "herald:campaign-ended": ["انتهت هذه الحملة فلا يضاف إليها شيء.", "أنشئ حملة جديدة، أو أضف الرسالة بلا حملة."],
  "herald:campaign-cancelled": ["أُلغيت حملة هذه الرسالة فلا يمكن إرسالها من جديد.", "جدوِل رسالة جديدة."],
  "herald:campaign-account-exists": ["هذا الحساب يخدم الحملة بالفعل.", "عدّل ذلك السجل."],
  "herald:audience-no-object": ["الجمهور ليس كائن JSON.", 'اكتب مرشّح جهات الاتصال هكذا: {"city": "Lisbon"}.'],

  // Workshops, tasks, notifications
  "herald:workshop-unknown": ["لا توجد ورشة كهذه في المؤسسة.", "اختر إحدى ورشها."],
  "herald:workshop-title": ["عنوان الورشة فارغ أو أطول من 300 حرف.", "اكتب عنوانًا من 1 إلى 300 حرف."],
  "herald:workshop-moves": ["لا تنتقل الورشة إلى مؤسسة أخرى.", "أنشئ ورشة جديدة هناك واحذف هذه."],
  "herald:attendee-exists": ["هذا الرقم في قائمة الورشة بالفعل.", "عدّل ذلك الحاضر بدلًا من ذلك."],
  "herald:attendee-name-too-long": ["اسم الحاضر طويل جدًا.", "اختصره إلى 200 حرف."],
  "herald:attendee-status-unknown": [
    "لا توجد حالة حاضر كهذه.",
    "استخدم registered أو attended أو cancelled أو no_show.",
  ],
  "herald:task-type-unknown": ["لا يوجد نوع مهمة كهذا.", "استخدم send_reminder أو send_update أو check_in_prep."],
  "herald:task-status-unknown": [
    "لا توجد حالة مهمة كهذه.",
    "استخدم pending أو cancelled؛ ويكتب Herald بقية الحالات.",
  ],
  "herald:task-step-unknown": ["لا يمكن نقل المهمة إلى هذه الحالة.", "حدّث المهمة: تغيّرت حالتها منذ أن رأيتها."],
  "herald:task-not-pending": ["لم يعد ممكنًا تعديل هذه المهمة.", "تُعدَّل المهام المنتظرة فقط. أنشئ مهمة جديدة."],
  "herald:recipient-filter-no-object": [
    "مرشّح المستلمين ليس كائن JSON.",
    'اكتبه هكذا: {"ticket": "early"}؛ و{} تعني الجميع.',
  ],
  "herald:notification-needs-phone": [
    "يلزم رقم هاتف للإشعار عبر واتساب.",
    "أدخل recipient_phone مثل +491701234567.",
  ],
  "herald:notification-not-pending": ["لم يعد ممكنًا تغيير هذا الإشعار.", "أضف إشعارًا جديدًا."],
  "herald:notification-sent-without-time": ["الإشعار المرسل يحتاج إلى وقت إرساله.", "أدخل sent_at مع الحالة."],
  "herald:notification-status-unknown": [
    "لا توجد حالة إشعار كهذه.",
    "استخدم pending أو processing أو sent أو delivered أو failed أو cancelled.",
  ],
  "herald:notification-type-length": ["نوع الإشعار فارغ أو طويل جدًا.", "استخدم من 1 إلى 60 حرفًا، مثل whatsapp."],
  "herald:max-attempts": ["عدد المحاولات خارج المدى المسموح.", "اختر من 1 إلى 20."],

  // Settings
  "herald:settings-exist": ["للمؤسسة إعداداتها بالفعل.", "عدّل ذلك السجل."],
  "herald:timezone-unknown": ["لا توجد منطقة زمنية كهذه.", "اختر اسمًا مثل Europe/Berlin."],
  "herald:quiet-hours-invalid": [
    "لا يمكن قراءة ساعات الهدوء.",
    'أعط وقتين مختلفين: {"start": "21:00", "end": "08:00"}، أو null.',
  ],
  "herald:schedule-invalid": [
    "لا يمكن قراءة جدول الرسائل.",
    'يلزم كل نوع "at" (مثل "08:00") أو "offset" (مثل "-6 hours")، ويجوز "day" و"late" و"template" و"enabled".',
  ],
  "herald:opt-out-words-count": [
    "كلمات إيقاف الرسائل كثيرة جدًا أو غير موجودة.",
    "أعط من 1 إلى 50: يجب أن يستطيع الناس إيقاف الرسائل.",
  ],
  "herald:pause-reason-too-long": ["سبب الإيقاف المؤقت طويل جدًا.", "اختصره إلى 500 حرف."],
  "herald:opt-out-word-too-long": [
    "إحدى كلمات الإيقاف طويلة جدًا أو فارغة.",
    "اكتب قائمة كلمات، كل منها حتى 100 حرف.",
  ],
  "herald:region-too-long": ["منطقة المجموعة طويلة جدًا.", "اختصرها إلى 200 حرف."],
  "herald:labels-too-many": [
    "وسوم المجموعة كثيرة جدًا أو أحدها طويل جدًا.",
    "اكتب حتى 50 وسمًا، كل منها حتى 100 حرف.",
  ],
  "herald:events-too-many": [
    "العنوان يطلب أحداثًا كثيرة جدًا أو حدثًا غير ممكن.",
    "اكتب قائمة من 50 اسمًا على الأكثر.",
  ],
  "herald:retention-days": [
    "مدة الاحتفاظ بالنصوص خارج المدى المسموح.",
    "اختر من 1 إلى 3,650 يومًا، أو null للاحتفاظ بها.",
  ],
  "herald:log-retention-days": ["مدة الاحتفاظ بالسجلات خارج المدى المسموح.", "اختر من 1 إلى 3,650 يومًا."],
  "herald:unreadable-policy-unknown": [
    "قيمة unreadable_policy غير معروفة.",
    "اختر show أو resend_direct.",
  ],
  "herald:in-doubt-policy-unknown": [
    "لا أحد بهذا الاسم يحسم الرسائل المشكوك فيها.",
    "استخدم person، أو own_phone لهاتف الحساب نفسه.",
  ],
  "herald:webhook-url-invalid": ["لا يمكن استخدام هذا العنوان.", "أعط عنوانًا حتى 2,000 حرف يبدأ بـ https://."],
  "herald:webhook-exists": ["هذا العنوان مسجّل بالفعل.", "عدّل ذلك السجل."],

  // The operator and the worker
  "herald:fallback-not-ready": ["لا يمكن جدولة التشغيل الاحتياطي بعد.", "الخطوات في docs/functions.md."],
  "herald:generation-stale": ["تغيّرت بيانات الجلسة المخزّنة منذ قراءتها.", "اقرأ البيانات من جديد قبل الكتابة."],
  "herald:problem-without-code": ["تُذكر المشكلة برمزها.", "أرسل رمز المشكلة لا نصها."],
  "herald:seal-unreadable": ["هذه ليست بداية سجل مختوم.", "أعط أول بايتات السجل كما ختمه العامل."],
  "herald:session-not-held": ["هذا التشغيل لا يملك الجلسة.", "توقف: يملكها تشغيل آخر أو انتهت مدتها."],
  "herald:vault-secret-missing": [
    "ينقص الخزنة مفتاح أرقام الهواتف المحذوفة.",
    "أعده من المشروع الذي جاءت منه قاعدة البيانات.",
  ],
  "herald:worker-replaced": ["بدأت عملية أخرى بالمعرّف WORKER_ID نفسه.", "توقف: أعط كل عامل معرّفًا خاصًا به."],
};
