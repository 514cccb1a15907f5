// What to show people when supabase-js returns an error: a sentence, what to do, and a stable code.
//
//   const { error } = await supabase.from("scheduled_whatsapp_messages").insert(row);
//   if (error) show(explain(error, "ar"));
//
// Herald's own refusals carry all three. What Postgres and PostgREST say by themselves gets its words here. No word of
// theirs is repeated: they quote what was typed, and that may be a phone number. Pure: no network, no imports but words.

import { ARABIC } from "./explain_arabic.ts";

export type Language = "en" | "ar";

/** The error of supabase-js, or what PostgREST answers. `status` is the response's, if the caller has it. */
export interface DatabaseError {
  code?: string | null;
  message?: string | null;
  details?: string | null;
  hint?: string | null;
  status?: number;
}

export interface Explanation {
  /** Stable, like `herald:phone-invalid`: for programs. */
  code: string;
  message: string;
  hint: string;
}

const OWN = /^herald:[a-z0-9]+(-[a-z0-9]+)*$/;

/** Say in words what went wrong and what to do. Never throws. */
export function explain(error: DatabaseError, language: Language = "en"): Explanation {
  const carried = error.details ?? "";
  if (OWN.test(carried)) {
    return own(carried, error, language);
  }
  const kind = kindOf(error);
  const [message, hint] = WORDS[kind][language];
  return { code: `herald:${kind}`, message: naming(message, columnIn(error)), hint };
}

function own(code: string, error: DatabaseError, language: Language): Explanation {
  const arabic = language === "ar" ? ARABIC[code] : undefined;
  if (arabic) {
    const named = /"([a-z_][a-z0-9_]*)"/.exec(error.message ?? "")?.[1] ?? "";
    return { code, message: naming(arabic[0], named), hint: arabic[1] };
  }
  // A code that is newer than this file keeps its English words.
  return { code, message: error.message ?? "", hint: error.hint ?? "" };
}

/** The sentence with the column in it, or without one. */
function naming(message: string, column: string): string {
  return column ? message.replace("{0}", column) : message.replace(/ ["«]\{0\}["»]/, "");
}

/** The column that Postgres or PostgREST names; names of columns are no secret. */
function columnIn(error: DatabaseError): string {
  const said = error.message ?? "";
  return (/null value in column "([a-z_][a-z0-9_]*)"/.exec(said) ?? /the '([a-z_][a-z0-9_]*)' column/.exec(said))
    ?.[1] ??
    "";
}

type Kind = keyof typeof WORDS;

function kindOf({ code, message, status }: DatabaseError): Kind {
  const said = message ?? "";
  const named = code ? BY_CODE[code] : undefined;
  if (code === "42501" && said.includes("row-level security")) {
    return "row-not-yours";
  }
  if (code === "22P02") {
    const type = /invalid input (?:syntax for type|value for enum) (\w+)/.exec(said)?.[1] ?? "";
    return BY_TYPE[type] ?? "value-unreadable";
  }
  if (named) {
    return named;
  }
  if (/^PGRST3/.test(code ?? "") || status === 401) {
    return "sign-in-again";
  }
  if (/^(08|53|57|58|XX)|^PGRST00/.test(code ?? "") || (status ?? 0) >= 500) {
    return "database-away";
  }
  if (status === 429) {
    return "slow-down";
  }
  if (/^(PGRST1|PGRST2|42)/.test(code ?? "")) {
    return "request-wrong";
  }
  return /failed to fetch|networkerror|load failed|fetch failed/i.test(said) ? "offline" : "unknown";
}

const BY_TYPE: Record<string, Kind> = {
  uuid: "id-unreadable",
  smallint: "number-unreadable",
  integer: "number-unreadable",
  bigint: "number-unreadable",
  numeric: "number-unreadable",
  double: "number-unreadable",
  boolean: "boolean-unreadable",
  json: "json-unreadable",
};

const BY_CODE: Record<string, Kind> = {
  "22001": "text-too-long",
  "22003": "number-too-large",
  "22007": "time-unreadable",
  "22008": "time-unreadable",
  "22021": "text-unreadable",
  "22P05": "text-unreadable",
  "23502": "empty-column",
  "23503": "reference-unknown",
  "23505": "exists-already",
  "23514": "against-rule",
  "42501": "not-allowed",
  "54000": "too-large",
  "57014": "too-slow",
  "40001": "try-again",
  "40P01": "try-again",
  "55P03": "try-again",
  "PGRST116": "not-one-row",
  "PGRST202": "function-unknown",
  "PGRST203": "function-unknown",
  "PGRST204": "column-unknown",
  "PGRST205": "table-unknown",
  "42703": "column-unknown",
  "42883": "function-unknown",
  "42P01": "table-unknown",
};

const WORDS = {
  "row-not-yours": {
    en: ["You may not do this here.", "Owners and admins change the rows of their own organisation."],
    ar: ["لا يحق لك ذلك هنا.", "يعدّل المالكون والمديرون سجلات مؤسستهم فقط."],
  },
  "not-allowed": {
    en: ["This can't be read or changed from here.", "Leave out the columns that Herald writes, or ask an admin."],
    ar: ["لا يمكن قراءة هذا أو تغييره من هنا.", "اترك الحقول التي يكتبها Herald، أو اسأل أحد المديرين."],
  },
  "value-unreadable": {
    en: ["A value has the wrong form for its column.", "Check the types in docs/data-model.md."],
    ar: ["إحدى القيم ليست بالصيغة الصحيحة لحقلها.", "راجع الأنواع في docs/data-model.md."],
  },
  "id-unreadable": {
    en: [
      "A value that should be an id is none.",
      "Use the id of a row, like 0e3b1f5a-…, or leave it out if there is none.",
    ],
    ar: ["قيمة يجب أن تكون معرّفًا وليست كذلك.", "استخدم معرّف سجل مثل 0e3b1f5a-…، أو اترك الحقل."],
  },
  "number-unreadable": {
    en: ["A value that should be a number is none.", "Write digits only, like 5."],
    ar: ["قيمة يجب أن تكون رقمًا وليست كذلك.", "اكتب أرقامًا فقط، مثل 5."],
  },
  "boolean-unreadable": {
    en: ["A value that should be true or false is neither.", "Send true or false."],
    ar: ["قيمة يجب أن تكون true أو false وليست كذلك.", "أرسل true أو false."],
  },
  "json-unreadable": {
    en: ["A value that should be JSON is none.", 'Send an object like {"name": "Asha"}, not a text.'],
    ar: ["قيمة يجب أن تكون JSON وليست كذلك.", 'أرسل كائنًا مثل {"name": "Asha"} لا نصًا.'],
  },
  "time-unreadable": {
    en: ["A date or time can't be read.", "Write it like 2030-01-31T10:00:00Z."],
    ar: ["لا يمكن قراءة تاريخ أو وقت.", "اكتبه مثل 2030-01-31T10:00:00Z."],
  },
  "text-unreadable": {
    en: [
      "The text contains a character that can't be stored.",
      "Remove characters that can't be seen, then try again.",
    ],
    ar: ["في النص رمز لا يمكن تخزينه.", "احذف الرموز غير المرئية ثم حاول من جديد."],
  },
  "text-too-long": {
    en: ["A text is too long.", "Shorten it."],
    ar: ["أحد النصوص طويل جدًا.", "اختصره."],
  },
  "number-too-large": {
    en: ["A number is too large.", "Choose a smaller number."],
    ar: ["أحد الأرقام كبير جدًا.", "اختر رقمًا أصغر."],
  },
  "empty-column": {
    en: ['The value "{0}" is missing.', "Give it a value: every row needs one."],
    ar: ["القيمة «{0}» ناقصة.", "أدخل قيمة لهذا الحقل."],
  },
  "reference-unknown": {
    en: ["The row names something that is not there, or that others still need.", "Reload, then choose again."],
    ar: ["السجل يشير إلى شيء غير موجود، أو ما زال غيره يحتاجه.", "حدّث الصفحة ثم اختر من جديد."],
  },
  "exists-already": {
    en: ["There is such a row already.", "Change that row instead."],
    ar: ["يوجد سجل كهذا بالفعل.", "عدّل ذلك السجل بدلًا من ذلك."],
  },
  "against-rule": {
    en: ["A value is not allowed here.", "Check what was entered, then try again."],
    ar: ["إحدى القيم غير مسموحة هنا.", "راجع ما أُدخل ثم حاول من جديد."],
  },
  "too-large": {
    en: ["This is too much at once.", "Send less in one request."],
    ar: ["هذا كثير دفعة واحدة.", "أرسل أقل في كل طلب."],
  },
  "too-slow": {
    en: ["This took too long and was stopped.", "Ask for less at once, then try again."],
    ar: ["استغرق هذا وقتًا طويلًا فأُوقف.", "اطلب أقل دفعة واحدة ثم حاول من جديد."],
  },
  "try-again": {
    en: ["Somebody changed the same row at the same moment.", "Try again."],
    ar: ["عدّل شخص آخر السجل نفسه في اللحظة نفسها.", "حاول من جديد."],
  },
  "not-one-row": {
    en: ["There is no such row, or more than one.", "Reload, then choose again. It may not be visible to you."],
    ar: ["لا يوجد سجل كهذا، أو يوجد أكثر من واحد.", "حدّث الصفحة ثم اختر من جديد. قد لا يكون مرئيًا لك."],
  },
  "function-unknown": {
    en: ["The database has no such function.", "Check its name and arguments, or push the migrations."],
    ar: ["لا توجد دالة كهذه في قاعدة البيانات.", "راجع اسمها ومعطياتها، أو طبّق ملفات الترحيل."],
  },
  "column-unknown": {
    en: ['The table has no column "{0}".', "Check its name in docs/data-model.md, or push the migrations."],
    ar: ["لا يوجد في الجدول حقل «{0}».", "راجع اسمه في docs/data-model.md، أو طبّق ملفات الترحيل."],
  },
  "table-unknown": {
    en: ["The database has no such table.", "Check its name in docs/data-model.md, or push the migrations."],
    ar: ["لا يوجد جدول كهذا في قاعدة البيانات.", "راجع اسمه في docs/data-model.md، أو طبّق ملفات الترحيل."],
  },
  "request-wrong": {
    en: [
      "The database does not understand this request.",
      "Tell whoever builds the CRM; docs/errors.md has the way.",
    ],
    ar: ["لا تفهم قاعدة البيانات هذا الطلب.", "أخبر من يبني النظام؛ الطريقة في docs/errors.md."],
  },
  "sign-in-again": {
    en: ["You are not signed in any more.", "Sign in again."],
    ar: ["انتهت جلسة دخولك.", "سجّل الدخول من جديد."],
  },
  "slow-down": {
    en: ["There are too many requests at the moment.", "Wait a moment, then try again."],
    ar: ["الطلبات كثيرة في هذه اللحظة.", "انتظر قليلًا ثم حاول من جديد."],
  },
  "database-away": {
    en: ["The database can't be reached at the moment.", "Try again in a moment."],
    ar: ["لا يمكن الوصول إلى قاعدة البيانات الآن.", "حاول من جديد بعد لحظات."],
  },
  "offline": {
    en: ["There is no connection to the server.", "Check your internet connection, then try again."],
    ar: ["لا يوجد اتصال بالخادم.", "تحقق من اتصالك بالإنترنت ثم حاول من جديد."],
  },
  "unknown": {
    en: ["Something went wrong.", "Try again. If it stays so, tell your administrator."],
    ar: ["حدث خطأ ما.", "حاول من جديد. وإن تكرر فأخبر المسؤول."],
  },
} as const;
