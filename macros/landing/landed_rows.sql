{#- The name of the temporary view of the rows that are loaded of a source in a run; with the schema, for threads share it. -#}
{% macro _landed_rows(source) -%}
    landed_rows__{{ _place_of('raw_' ~ source.name).schema if execute else 'raw' }}__{{ source.name }}
{%- endmacro %}


{#-
  Make the view landed_rows of a source: a row for each row of the files in `to_load` (see _files_to_load), with the declared
  columns by their names in raw as text, and
    a column for each of `others` (see _other_columns_of), as text; null in a file that lacks it
    other_columns: the text of all columns but the source's own, a JSON object by name; null where the file has none
    malformed_line: the whole line where it has too few or too many fields, its columns then null; else null
    path, file_modified_at, _landed_on: of the file
  A column that a file lacks, or has twice, is null, and in the second case both are among the other columns. Of JSON
  lines, which no header tells apart, the one column is `line`.
  A file that Spark's reader stumbles over ends there (ignoreCorruptFiles), and one that has left or may not be read any
  more has no row (ignoreMissingFiles), so that the others go on: it has fewer rows than were counted in it, and is refused
  for that.
-#}
{% macro _create_landed_view(source, to_load, others) %}
    {%- set is_lines = source.arrives == 'growing_lines' -%}
    {%- set raw_names = ['line'] if is_lines else source.columns | map(attribute='raw_name') | list -%}
    {%- set others_of_tables = others | map(attribute='column_name') | list -%}
    {%- set groups = {} -%}
    {%- for file in to_load -%}
        {% do groups.setdefault(tojson([file.columns, file.reading]), []).append(file) %}
    {%- endfor -%}
    {%- set parts = [] -%}
    {%- set places = [] -%}
    {%- for key, files in groups.items() -%}
        {%- for place in _places_of_files(source, files) -%}
            {% do places.append([key, place]) %}
        {%- endfor -%}
    {%- endfor -%}
    {%- for key, place in places -%}
        {%- set header, reading = fromjson(key) -%}
        {%- set view = _landed_rows(source) ~ '__' ~ loop.index -%}
        {%- set fields = ['line'] if reading == 'lines' else range(header | length) | map('string') | map('replace', '', 'c', 1) | list -%}
        {% call statement('landed_rows_part') -%}
            create or replace temporary view {{ view }} (
                {{- fields | join(' string, ') }} string{{ ', malformed_line string' if reading != 'text' }}
                {{- ', file_id string' if place.is_linked }}
            )
            {%- if reading == 'text' %}
            using text
            options ({{ place.options }}, ignoreCorruptFiles 'true', ignoreMissingFiles 'true')
            {%- else %}
            using csv
            options (
                {{ place.options }},
                header 'true',
                mode 'PERMISSIVE',
                columnNameOfCorruptRecord 'malformed_line',
                maxColumns '600000',
                ignoreCorruptFiles 'true',
                ignoreMissingFiles 'true',
                multiLine '{{ reading == 'multiline' }}',
                {%- if reading == 'lines' %}
                sep '\u0001',
                quote ''
                {%- else %}
                sep {{ _text_literal(source.separator) }},
                escape '"'
                {%- endif %}
            )
            {%- endif %}
        {%- endcall %}
        {%- set view = view if place.is_linked else '(select *, ' ~ _read_location() ~ ' as file_id from ' ~ view ~ ')' -%}
        {% do parts.append(
            _landed_text_part(view) if reading == 'text' else _landed_rows_part(source, view, header, reading, others)
        ) %}
    {%- endfor -%}
    {% call statement('landed_rows') -%}
        create or replace temporary view {{ _landed_rows(source) }} as
        {% if parts -%}
        select
            {%- for column in raw_names + others_of_tables %}
            rows.`{{ column }}`,
            {%- endfor %}
            rows.other_columns,
            rows.malformed_line,
            files.path,
            files.modified_at as file_modified_at,
            files.landed_on as _landed_on
        from (
            {{ parts | join(' union all ') }}
        ) as rows
        inner join ({{ _listed_files(source.name) }}) as files
            on rows._file_id = if(files.is_linked, files.file_id, files.location)
        {%- else -%}
        select
            {%- for column in raw_names + others_of_tables %}
            cast(null as string) as `{{ column }}`,
            {%- endfor %}
            cast(null as string) as other_columns,
            cast(null as string) as malformed_line,
            cast(null as string) as path,
            cast(null as timestamp) as file_modified_at,
            cast(null as date) as _landed_on
        where false
        {%- endif %}
    {%- endcall %}
{% endmacro %}


{#-
  The places that files are read from, some at a time: a list of objects with `options`, a reader's, and `is_linked`. On one
  machine a folder of the lake links to each (python/strata/landing.py), so that no sign of a name means anything to Spark.
  On a cluster they are read where they lie; one with such a sign in its name by itself.
-#}
{% macro _places_of_files(source, files) %}
    {%- set places = [] -%}
    {%- set folder = env_var('STRATA_LAKE') ~ '/intake/' ~ source.name -%}
    {%- set linked = files | selectattr('location', 'none') | list -%}
    {%- if linked -%}
        {#- With a slash in it Hadoop takes each of a thousand names for a path; else it matches each folder with all names. -#}
        {%- set path = _literal_path(folder) ~ '/{file_id=' ~ linked | map(attribute='file_id') | join('/,file_id=') ~ '/}' -%}
        {% do places.append({
            'is_linked': true, 'options': 'path ' ~ _text_literal(path) ~ ', basePath ' ~ _text_literal(folder),
        }) %}
    {%- endif -%}
    {%- set root = env_var('STRATA_LANDING') ~ '/' -%}
    {%- set plain = [] -%}
    {%- for file in files | rejectattr('location', 'none') -%}
        {%- if file.location.startswith(root) and not modules.re.search('[][{}*?,:^\\\\\\x00-\\x1f]', file.location.split('://') | last) -%}
            {% do plain.append(file.location[root | length:]) %}
        {%- else -%}
            {#- Spark's own option for a path that is no pattern. -#}
            {% do places.append({
                'is_linked': false, 'options': 'path ' ~ _text_literal(file.location) ~ ", `__globPaths__` 'false'",
            }) %}
        {%- endif -%}
    {%- endfor -%}
    {%- for some in plain | batch(1000) -%}
        {% do places.append({
            'is_linked': false, 'options': 'path ' ~ _text_literal(root ~ '{' ~ some | join(',') ~ '}'),
        }) %}
    {%- endfor -%}
    {{ return(places) }}
{% endmacro %}


{#- The location of the file that a row is read from, as the listing has it: Spark tells an address with its signs escaped. -#}
{% macro _read_location() -%}
    regexp_replace(url_decode(replace(input_file_name(), '+', '%2B')), '^file:/+', '/')
{%- endmacro %}


{#- The lines of files without a header; a byte order mark is no part of a line, and one that Java's trim leaves empty is none. -#}
{% macro _landed_text_part(view) -%}
    select
        trim(leading '\ufeff' from c0) as line,
        cast(null as string) as other_columns,
        cast(null as string) as malformed_line,
        file_id as _file_id
    from {{ view }}
    where c0 rlike r'[^\x00-\x20\x{FEFF}]'
{%- endmacro %}


{#- The rows of the files of one header, by its names. -#}
{% macro _landed_rows_part(source, view, header, reading, others) -%}
    {%- set columns = source.columns | map(attribute='landed_name') | list -%}
    select
        {%- for column in source.columns %}
        {% if header | select('equalto', column.landed_name) | list | length == 1 -%}
        case when malformed_line is null then c{{ header.index(column.landed_name) }} end as `{{ column.raw_name }}`,
        {%- else -%}
        cast(null as string) as `{{ column.raw_name }}`,
        {%- endif %}
        {%- endfor %}
        {%- for other in others %}
        {% if header | select('equalto', other.name) | list | length == 1 -%}
        case when malformed_line is null then c{{ header.index(other.name) }} end as `{{ other.column_name }}`,
        {%- else -%}
        cast(null as string) as `{{ other.column_name }}`,
        {%- endif %}
        {%- endfor %}
        {%- set pairs = [] -%}
        {%- set seen = [] -%}
        {%- for name in header -%}
            {%- if not (name in columns and header | select('equalto', name) | list | length == 1) -%}
                {%- set key = namespace(name=name) -%}
                {%- for number in range(2, header | length + 2) -%}
                    {%- if key.name in seen or (key.name != name and key.name in header) -%}
                        {%- set key.name = name ~ ' (' ~ number ~ ')' -%}
                    {%- endif -%}
                {%- endfor -%}
                {% do pairs.append(_text_literal(key.name) ~ ', c' ~ loop.index0) %}
                {% do seen.append(key.name) %}
            {%- endif -%}
        {%- endfor %}
        {% if pairs -%}
        {#- In the order of their names, so that files with their columns in another order give the same text. -#}
        case when malformed_line is null then to_json(map({{ pairs | sort | join(', ') }})) end as other_columns,
        {%- else -%}
        cast(null as string) as other_columns,
        {%- endif %}
        malformed_line,
        file_id as _file_id
    from
    {%- if reading == 'lines' %} (
        select
            fields.*,
            file_id
        from (
            select
                coalesce(malformed_line, line) as line,
                -- A quote that is not closed on its line makes it unclear where a field ends.
                case
                    when length(line) % 2 <> length(replace(line, '"', '')) % 2
                        then named_struct(
                            {%- for name in header %}'c{{ loop.index0 }}', cast(null as string), {% endfor -%}
                            'malformed_line', line
                        )
                    else from_csv(
                        line,
                        '{% for name in header %}c{{ loop.index0 }} string, {% endfor %}malformed_line string',
                        map(
                            'sep', {{ _text_literal(source.separator) }}, 'escape', '"', 'maxColumns', '600000', 'columnNameOfCorruptRecord', 'malformed_line',
                            'mode', 'PERMISSIVE'
                        )
                    )
                end as fields,
                file_id
            from {{ view }}
        )
    )
    {%- else %} {{ view }}
    {%- endif %}
{%- endmacro %}


{#- A path as Spark must be given it to mean that path: it takes brackets, braces and stars for patterns. -#}
{% macro _literal_path(path) -%}
    {%- set literal = namespace(path=path | replace('\\', '\\\\')) -%}
    {%- for sign in '[]{}*?' -%}
        {%- set literal.path = literal.path | replace(sign, '\\' ~ sign) -%}
    {%- endfor -%}
    {{- literal.path -}}
{%- endmacro %}


{#-
  The columns of the files in `to_load` beside the declared ones: a list of objects with `name`, as in the header, and
  `column_name`, in the table `relation` with the columns `own`. One that a header has more than once has no place of its
  own; other_columns holds it.
-#}
{% macro _other_columns_of(to_load, source, relation, own) %}
    {%- set declared_names = source.columns | map(attribute='landed_name') | list -%}
    {%- set names = [] -%}
    {%- for file in to_load -%}
        {%- for name in file.columns if name not in declared_names and name not in names -%}
            {%- if file.columns | select('equalto', name) | list | length == 1 -%}
                {% do names.append(name) %}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(_named_columns(names | sort, relation, own | map('lower') | list)) }}
{% endmacro %}
